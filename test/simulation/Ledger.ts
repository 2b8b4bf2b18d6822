/**
 * What happened in a run, as seen from outside: what was meant to be published and what its publisher
 * was told, what each process sent and received, what handlers did. Each line has a number: the order in
 * which things happened.
 */
import type { Name } from "./Setup.ts"

export type Told =
  | { readonly _tag: "Confirmed"; readonly routed: boolean | "later" | undefined }
  | { readonly _tag: "Failed"; readonly reason: string }
  /** `publishAll` stopped before it. */
  | { readonly _tag: "NotReached" }
  /** Its process died, or it was interrupted: nobody heard. */
  | { readonly _tag: "Unheard" }

/** One publish of one event. */
export interface Intent {
  readonly n: number
  readonly event: Name
  readonly key: string
  readonly startedAt: number
  readonly at: number
  readonly delayed: boolean
  readonly mandatory: boolean
  readonly pipelined: boolean
  readonly timeout: number
  /** Subscribers that were registered when it began. */
  readonly bound: ReadonlySet<string>
  told: Told | undefined
  toldAt: number
}

/** What one process sent for an event, and what the broker said. */
export interface Sent {
  readonly process: string
  readonly to: "Event" | "Subscriber" | "DeadLetter" | "Parked"
  readonly subscriber: string
  answer: "Routed" | "Unrouted" | "Rejected" | "NotSent" | "Lost" | undefined
}

/** What a subscriber had to do with an event. */
export interface Fate {
  readonly subscriber: string
  readonly n: number
  firstStart: number
  /** When it was first handled, or its dead letter was stored. */
  settled: number
  starts: number
  done: number
  deliveries: number
  redelivered: number
  /** How often it came back unsettled, at most. */
  returns: number
  /** When which attempt failed. */
  readonly failures: Map<number, Array<number>>
}

export interface Violation {
  readonly promise: string
  readonly detail: string
  /** The event that it is about. */
  readonly n: number | undefined
}

export interface Ledger {
  readonly now: () => number
  readonly intents: Map<number, Array<Intent>>
  readonly sends: Map<number, Array<Sent>>
  readonly fates: Map<string, Fate>
  /** The id of each event, once it is known. */
  readonly ids: Map<number, string>
  /** The number of each id that was seen. */
  readonly numbers: Map<string, number>
  /** What was sent of it: who publishes it again writes another time into it. */
  readonly bodies: Map<number, Set<string>>
  readonly violations: Array<Violation>
  readonly trace: Array<string>
  readonly note: (line: string, n?: number) => number
  readonly violate: (promise: string, detail: string, n?: number) => void
  readonly fate: (subscriber: string, n: number) => Fate
  readonly sent: (n: number, sent: Sent) => Sent
  /** That an event is seen by this id: it never has another. */
  readonly seen: (n: number, id: string, where: string) => void
  readonly settled: (subscriber: string, n: number) => void
  /** So many things went wrong that may bring an event twice. */
  disturbances: number
}

export const make = (now: () => number): Ledger => {
  let line = 0
  const fates = new Map<string, Fate>()
  const ledger: Ledger = {
    now,
    intents: new Map(),
    sends: new Map(),
    fates,
    ids: new Map(),
    numbers: new Map(),
    bodies: new Map(),
    violations: [],
    trace: [],
    note: (text, n) => {
      line++
      ledger.trace.push(
        `${String(line).padStart(5)} ${String(now()).padStart(7)} ms  ${n === undefined ? "" : `#${n} `}${text}`
      )
      return line
    },
    violate: (promise, detail, n) => {
      ledger.violations.push({ promise, detail, n })
      ledger.note(`VIOLATED ${promise}: ${detail}`, n)
    },
    fate: (subscriber, n) => {
      const name = `${subscriber}/${n}`
      const known = fates.get(name)
      if (known !== undefined) return known
      const made: Fate = {
        subscriber,
        n,
        firstStart: 0,
        settled: 0,
        starts: 0,
        done: 0,
        deliveries: 0,
        redelivered: 0,
        returns: 0,
        failures: new Map()
      }
      fates.set(name, made)
      return made
    },
    sent: (n, sent) => {
      const all = ledger.sends.get(n)
      if (all === undefined) ledger.sends.set(n, [sent])
      else all.push(sent)
      return sent
    },
    seen: (n, id, where) => {
      const known = ledger.ids.get(n)
      ledger.numbers.set(id, n)
      if (known === undefined) ledger.ids.set(n, id)
      else if (known !== id) ledger.violate("P2", `${where} has the id ${id}, its event ${known}`, n)
    },
    settled: (subscriber, n) => {
      const fate = ledger.fate(subscriber, n)
      if (fate.settled === 0) fate.settled = line
    },
    disturbances: 0
  }
  return ledger
}
