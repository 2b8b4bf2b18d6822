/** What the processes of the kill test do, and what their test orders of them. */
import { Schema } from "effect"
import * as Event from "../../../src/event/Event.ts"

export const Counted = Event.make("outbox.counter.moved", {
  version: 1,
  data: Schema.Struct({ k: Schema.String }),
  key: ({ k }) => k,
  cache: false
})

/** Several in each partition. */
export const keys = ["a", "b", "c", "d", "e", "f", "g", "h"] as const

/** The statements of a writer and of a relay, by a part of their text. */
export const statements = {
  writer: { begin: "BEGIN", append: "INTO eventbus_outbox", move: "WITH moved", commit: "COMMIT" },
  reader: { begin: "BEGIN", first: "INTO eventbus_inbox", effect: "INTO applied", commit: "COMMIT" },
  relay: { renew: "WHERE owner =", claim: "fence = fence + 1", read: "AS before", mark: "SET state = 1" }
} as const

export const moments = ["before", "after", "soon after"] as const

/** Its dead letters count, too. */
export const reader = "outbox.reader"

/** Where a process kills itself. */
export interface Death {
  /** A part of the text of a statement. */
  readonly statement: string
  /** The how many-th of its kind. */
  readonly count: number
  readonly when: (typeof moments)[number]
}

export interface WorkOptions {
  readonly role: "writer" | "relay" | "reader"
  readonly database: string
  readonly broker: string
  readonly namespace: string
  /** It lives until it is stopped without one. */
  readonly death?: Death
  /** Bugs that the judgement has to find. */
  readonly bug?: "no lock" | "cursor"
}
