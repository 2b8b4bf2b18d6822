/**
 * What became of a message on its way through the bus: confirmed, or the reason of the failure. It is the
 * vocabulary of the port (`port/SendOutcome.ts`) with one difference: `NotSent` never gets here, because the
 * outbox sends again and reports at the deadline why it could not.
 */
import type { Confirmed } from "../port/SendOutcome.ts"
import type { PublishReason } from "./PublishReason.ts"

export type Outcome = Confirmed | PublishReason
