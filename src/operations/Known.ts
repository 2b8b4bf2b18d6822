/** What a face knows of the services that are operated, and what follows for the bodies that it shows. */
import type * as Event from "../event/Event.ts"
import type * as Reports from "./Reports.ts"

export interface Known {
  readonly contracts: ReadonlyMap<string, Event.Any>
  /** Names of subscribers. */
  readonly subscribers: ReadonlyArray<string>
}

/** Without its body where no contract says what is sensitive in it. */
export const guarded = (
  { contracts }: Known,
  letter: typeof Reports.LetterDetail.Type
): typeof Reports.LetterDetail.Type => (contracts.has(letter.event) ? letter : { ...letter, body: null })
