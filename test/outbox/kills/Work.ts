/** What the processes of the kill test do, what their test orders of them, and what they answer. */
import type { DialectName } from "@eduflow/events/outbox"
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
const statements = {
  writer: { begin: "BEGIN", append: "INTO eventbus_outbox", move: "INTO moves", commit: "COMMIT" },
  reader: { begin: "BEGIN", first: "INTO eventbus_inbox", effect: "INTO applied", commit: "COMMIT" },
  relay: { renew: "SET expires_at =", claim: "fence = fence + 1", read: "AND EXISTS", mark: "SET state = 1" }
} as const

/** MySQL returns no row that it changes, so other statements stand between. */
const mysqlStatements = {
  writer: { number: "LAST_INSERT_ID()", change: "UPDATE counters" },
  reader: { mark: "AND token = ?" },
  relay: {
    look: "ORDER BY RAND()",
    claimed: "AND fence = ? AND owner = ?",
    renewed: "FROM eventbus_outbox_lease WHERE owner = ?"
  }
} as const

export type Mortal = keyof typeof statements

const statementsOf = (role: Mortal, dialect: DialectName): Readonly<Record<string, string>> =>
  dialect === "mysql" ? { ...statements[role], ...mysqlStatements[role] } : statements[role]

export const moments = ["before", "after", "soon after"] as const

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

/** On MySQL a relay takes a partition only where one is free, which happens seldom in a life. */
const isSeldom = (at: string, dialect: DialectName): boolean =>
  dialect === "mysql" && (at === "claim" || at === "claimed")

/** Before, at and behind each statement of a life, the first, second and fourth of its kind. */
export const deathsOf = (role: Mortal, victim: Victim, dialect: DialectName): ReadonlyArray<Death> =>
  [1, 2, 4].flatMap((count) =>
    moments.flatMap((when) =>
      Object.entries(statementsOf(role, dialect)).map(([at, statement]) => ({
        victim,
        at: `${role} ${at}`,
        statement,
        when,
        // Transactions are quick: otherwise nearly none would commit.
        count: role === "writer" ? count * 8 : role === "reader" ? count * 2 : isSeldom(at, dialect) ? 1 : count
      }))
    )
  )
