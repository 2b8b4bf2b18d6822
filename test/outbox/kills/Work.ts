/** What the processes of the kill test do, what their test orders of them, and what they answer. */
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
/** Of transactions that commit after later ones. */
export const longKey = "long"

/** The statements of a writer, of a relay and of a reader, by a part of their text. */
export const statements = {
  writer: { begin: "BEGIN", append: "INTO eventbus_outbox", move: "WITH moved", commit: "COMMIT" },
  reader: { begin: "BEGIN", first: "INTO eventbus_inbox", effect: "INTO applied", commit: "COMMIT" },
  relay: { renew: "WHERE owner =", claim: "fence = fence + 1", read: "AS before", mark: "SET state = 1" }
} as const

export const moments = ["before", "after", "soon after"] as const

export type Mortal = keyof typeof statements

/** Its dead letters count, too. */
export const reader = "outbox.reader"

/** What is killed when a process reaches a statement. */
export type Victim = "process" | "database" | "broker"

export interface Death {
  readonly victim: Victim
  /** What the statement is called. */
  readonly at: string
  /** A part of the text of the statement. */
  readonly statement: string
  /** The how many-th of its kind. */
  readonly count: number
  readonly when: (typeof moments)[number]
}

/** Bugs that the judgement has to find; see Bugs.ts. */
export const bugs = [
  "no-lock",
  "cursor",
  "append-outside",
  "append-behind",
  "mark-before-publish",
  "new-ids",
  "no-lease",
  "lease-by-own-clock",
  "lease-trusts-clock",
  "no-mark",
  "mark-outside"
] as const
export type Bug = (typeof bugs)[number]

export interface WorkOptions {
  /** `long` is a writer whose transactions stay open until others were published. */
  readonly role: Mortal | "long"
  readonly database: string
  readonly broker: string
  readonly namespace: string
  /** Of a relay, in milliseconds. */
  readonly lease: number
  /** It lives until it is stopped without one. */
  readonly death?: Death
  readonly bug?: Bug
  /** Of a reader: whether its subscriber has `inbox: true`, instead of a call of `isFirst`. */
  readonly option?: boolean
}

/** To a process. */
export type Order =
  | { readonly order: "work"; readonly options: WorkOptions }
  /** What it waits for has been killed. */
  | { readonly order: "go on" }
  | { readonly order: "die"; readonly death: Death }
  | { readonly order: "set the clock"; readonly millis: number }

/** From a process. */
export type Word =
  | { readonly word: "reached" }
  /** A long transaction has committed; this many later events were published before. */
  | { readonly word: "overtaken"; readonly by: number }

/** Before, at and behind each statement of a life, the first, second and fourth of its kind. */
export const deathsOf = (role: Mortal, victim: Victim): ReadonlyArray<Death> =>
  [1, 2, 4].flatMap((count) =>
    moments.flatMap((when) =>
      Object.entries<string>(statements[role]).map(([at, statement]) => ({
        victim,
        at: `${role} ${at}`,
        statement,
        when,
        // Transactions are quick: otherwise nearly none would commit.
        count: role === "writer" ? count * 8 : role === "reader" ? count * 2 : count
      }))
    )
  )
