/**
 * What an observer sees of a run: which publishes were meant and how each ended, what each process sent and
 * received, what handlers did. Each line of the trace has a number: the order in which things happened.
 */
import type { Name } from "./Setup.ts"

/** How a publish ended for its caller. */
export type PublishOutcome =
  | { readonly _tag: "Confirmed"; readonly routed: boolean | "later" | undefined }
  | { readonly _tag: "Failed"; readonly reason: string }
  /** `publishAll` stopped before it. */
  | { readonly _tag: "NotReached" }
  /** Its process died, or the publish was interrupted: no caller got an outcome. */
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
  outcome: PublishOutcome | undefined
  outcomeAt: number
}

/** What one process sent for an event, and how the broker answered. */
export interface Sent {
  readonly process: string
  readonly to: "Event" | "Subscriber" | "DeadLetter" | "Parked"
  readonly subscriber: string
  answer: "Routed" | "Unrouted" | "Rejected" | "NotSent" | "Unknown" | undefined
}

/** What became of an event in one subscriber. */
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
  /** The highest delivery count it came with. */
  returns: number
  /** When it was delivered the last time. */
  deliveredAt: number
  /** How often a process was killed within a second of its delivery. */
  cutShort: number
  /** Times of failures, by attempt. */
  readonly failures: Map<number, Array<number>>
}

export interface Violation {
  readonly promise: string
  readonly detail: string
  /** The event that it is about. */
  readonly n: number | undefined
}

export class Observations {
  readonly intents = new Map<number, Array<Intent>>()
  readonly sends = new Map<number, Array<Sent>>()
  readonly fates = new Map<string, Fate>()
  /** The id of each event, once it is known. */
  readonly ids = new Map<number, string>()
  /** The number of each id that was seen. */
  readonly numbers = new Map<string, number>()
  /** The bodies that were sent for an event: publishing it again writes another time into it. */
  readonly bodies = new Map<number, Set<string>>()
  readonly violations: Array<Violation> = []
  readonly trace: Array<string> = []
  /** How many things went wrong that may deliver an event twice. */
  disturbances = 0
  private line = 0

  readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  note(text: string, n?: number): number {
    const line = ++this.line
    const about = n === undefined ? "" : `#${n} `
    this.trace.push(`${String(line).padStart(5)} ${String(this.now()).padStart(7)} ms  ${about}${text}`)
    return line
  }

  violate(promise: string, detail: string, n?: number): void {
    this.violations.push({ promise, detail, n })
    this.note(`VIOLATED ${promise}: ${detail}`, n)
  }

  fate(subscriber: string, n: number): Fate {
    const name = `${subscriber}/${n}`
    const known = this.fates.get(name)
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
      deliveredAt: 0,
      cutShort: 0,
      failures: new Map()
    }
    this.fates.set(name, made)
    return made
  }

  intended(intent: Intent): Intent {
    const all = this.intents.get(intent.n)
    if (all === undefined) this.intents.set(intent.n, [intent])
    else all.push(intent)
    return intent
  }

  sent(n: number, sent: Sent): Sent {
    const all = this.sends.get(n)
    if (all === undefined) this.sends.set(n, [sent])
    else all.push(sent)
    return sent
  }

  /** An event was seen with this id; it must never have another one. */
  seen(n: number, id: string, where: string): void {
    const known = this.ids.get(n)
    this.numbers.set(id, n)
    if (known === undefined) this.ids.set(n, id)
    else if (known !== id) this.violate("P2", `${where} has the id ${id}, its event ${known}`, n)
  }

  failed(subscriber: string, n: number, attempt: number): void {
    const { failures } = this.fate(subscriber, n)
    failures.set(attempt, [...(failures.get(attempt) ?? []), this.now()])
  }

  settled(subscriber: string, n: number): void {
    const fate = this.fate(subscriber, n)
    if (fate.settled === 0) fate.settled = this.line
  }
}
