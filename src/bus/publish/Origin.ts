/**
 * Where a publish comes from: who publishes, and what it passes on. Options go first, then what the fiber has, and within a
 * handler the event that is being handled.
 */
import * as Context from "effect/Context"
import { type Actor, CurrentActor } from "../../event/Actor.ts"
import { type Baggage, CurrentBaggage, fromInput } from "../../event/flow/Baggage.ts"
import { CurrentTenant } from "../../event/flow/Tenant.ts"
import type { Headers } from "../port/Broker.ts"
import { CurrentHandling } from "../support/CurrentHandling.ts"
import type { PublishOptions } from "./PublishOptions.ts"

/** The options that say it. Undefined stops what would be passed on. */
export type OriginOptions = Pick<PublishOptions, "actor" | "baggage" | "causationId" | "correlationId" | "tenant">

export class Origin {
  /**
   * Who publishes; undefined is the service itself. What a delivery claims is not asked: a message from outside must neither
   * give a handler rights nor take them.
   */
  readonly publisher: Actor | undefined
  /** Who acts, as the event says. */
  readonly actor: Actor | undefined
  readonly tenant: string | undefined
  /** Undefined without members. */
  readonly baggage: Baggage | undefined
  readonly isHandler: boolean
  readonly correlationId: string | undefined
  readonly causationId: string | undefined

  /** `context` is that of the fiber that publishes. */
  constructor(context: Context.Context<never>, options: OriginOptions) {
    const handling = Context.get(context, CurrentHandling)
    const isGiven = "actor" in options
    this.publisher = isGiven ? options.actor : Context.get(context, CurrentActor)
    this.actor =
      this.publisher ??
      // The service itself, where the code says so.
      (isGiven || handling?.actor === undefined || context.mapUnsafe.has(CurrentActor.key) ? undefined : handling.actor)
    this.tenant = "tenant" in options ? options.tenant : Context.get(context, CurrentTenant)
    const baggage = "baggage" in options ? fromInput(options.baggage) : Context.get(context, CurrentBaggage)
    this.baggage = baggage === undefined || baggage.members.length === 0 ? undefined : baggage
    this.isHandler = handling !== undefined
    this.correlationId = options.correlationId ?? handling?.correlationId ?? handling?.id
    this.causationId = options.causationId ?? handling?.id
  }

  /** These headers, and the baggage. */
  headers(own: Headers | undefined): Headers | undefined {
    return this.baggage === undefined ? own : { ...own, baggage: this.baggage.text }
  }
}
