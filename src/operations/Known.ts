/** What a face knows of the services that are operated, and what follows for the bodies that it shows. */
import type { SubscriberSpec } from "../bus/port/Broker.ts"
import { deadLetterReasons, library } from "../bus/send/Diagnosis.ts"
import type * as Event from "../event/Event.ts"
import type * as Reports from "./Reports.ts"

export interface Known {
  readonly contracts: ReadonlyMap<string, Event.Any>
  /** Names of subscribers. */
  readonly subscribers: ReadonlyArray<string>
  /** What subscribers declare, of those where it is known. */
  readonly specs: ReadonlyArray<SubscriberSpec>
}

/** What this version of the library is, and the reasons by which it gives events up. */
export const version = { library, reasons: deadLetterReasons }

/** Without its body where no contract says what is sensitive in it. */
export const guarded = (
  { contracts }: Known,
  letter: typeof Reports.LetterDetail.Type
): typeof Reports.LetterDetail.Type => (contracts.has(letter.event) ? letter : { ...letter, body: null })
