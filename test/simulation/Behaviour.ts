/**
 * What the handler of a subscriber does with an event, and what must become of the event then. A pure
 * function of the seed, the subscriber and the event: nothing that happens in a run changes it.
 */
import { Schedule } from "effect"
import * as Chance from "./Chance.ts"

export type Kind =
  | "ok"
  /** Fails so many times, in one of these ways; then it succeeds. */
  | "fail"
  | "defect"
  | "timeout"
  | "reject"
  /** Put off until so long after it was published. */
  | "later"
  | "later for ever"
  /** The process dies whenever it handles this. */
  | "kill"
  /** Publishes another event first. */
  | "publish"

export interface Behaviour {
  readonly kind: Kind
  /** Attempts that do not succeed. */
  readonly times: number
  /** Turns of the event loop that an attempt takes, then milliseconds. */
  readonly turns: number
  readonly millis: number
}

export const policies = {
  /** In the process. */
  short: { delays: [200, 200, 200], schedule: Schedule.spaced("200 millis").pipe(Schedule.upTo({ times: 3 })) },
  /** From the process onto the broker. */
  growing: {
    delays: [300, 600, 1200, 2400],
    schedule: Schedule.exponential("300 millis").pipe(Schedule.upTo({ times: 4 }))
  },
  /** On the broker. */
  long: { delays: [2000, 2000], schedule: Schedule.spaced("2 seconds").pipe(Schedule.upTo({ times: 2 })) },
  /** Longer than a key may wait in its lane: it is parked. */
  patient: { delays: [660_000], schedule: Schedule.spaced("11 minutes").pipe(Schedule.upTo({ times: 1 })) }
} as const
export type PolicyName = keyof typeof policies

/** Milliseconds that an event is put off at a time. */
export const laterMillis = 1500
/** How long after its publish an event is put off at most. */
export const laterUntil = 4000
export const maxPostponed = 3
export const deadlineMillis = 3000

export interface Mix {
  readonly seed: number
  readonly weights: Readonly<Partial<Record<Kind, number>>>
  /** How often a handler takes time. */
  readonly slow: number
}

export const of = (mix: Mix, subscriber: string, n: number): Behaviour => {
  const chance = Chance.of(mix.seed, "behaviour", subscriber, n)
  const kind = chance.weighted<Kind>(mix.weights)
  return {
    kind,
    times: kind === "reject" ? chance.int(0, 1) : chance.one(0.3) ? 99 : chance.int(1, 2),
    turns: chance.one(0.5) ? 0 : chance.int(1, 12),
    millis: chance.one(mix.slow) ? chance.int(1, 900) : 0
  }
}

/** Where an event ends that a subscriber gets. */
export type End =
  | { readonly _tag: "Handled" }
  | { readonly _tag: "Dead"; readonly reason: string; readonly attempts: number | undefined }

export const endOf = ({ kind, times }: Behaviour, policy: PolicyName): End => {
  const most = policies[policy].delays.length + 1
  switch (kind) {
    case "ok":
    case "publish":
    case "later":
      return { _tag: "Handled" }
    case "fail":
    case "defect":
    case "timeout":
      return times < most ? { _tag: "Handled" } : { _tag: "Dead", reason: "Exhausted", attempts: most }
    case "reject":
      return { _tag: "Dead", reason: "Rejected", attempts: times + 1 }
    case "later for ever":
      return { _tag: "Dead", reason: "PostponedTooOften", attempts: 0 }
    case "kill":
      return { _tag: "Dead", reason: "CrashLoop", attempts: undefined }
  }
}

/** What its attempts fail with, as a dead letter tells it. */
export const errorTags: Readonly<Partial<Record<Kind, string>>> = {
  fail: "SimFailure",
  defect: "Error",
  timeout: "HandlerTimeout",
  reject: "Reject",
  "later for ever": "Later",
  kill: "CrashLoop"
}
