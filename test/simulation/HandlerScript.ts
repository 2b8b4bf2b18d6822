/**
 * What the handler of a subscriber does with an event, and how the event must end. A pure function of the
 * seed, the subscriber and the event: nothing that happens in a run changes it.
 */
import { Schedule } from "effect"
import * as RandomSource from "../support/RandomSource.ts"

export type Kind =
  | "ok"
  /** Fails `times` times, in one of these four ways; then it succeeds. */
  | "fail"
  | "defect"
  | "timeout"
  | "reject"
  /** Postponed until `laterUntil` after it was published. */
  | "later"
  | "later for ever"
  /** Kills its process at each attempt. */
  | "kill"
  /** Publishes another event first. */
  | "publish"

export interface HandlerScript {
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
  /** Longer than a key may wait in its lane: the key is parked. */
  patient: { delays: [660_000], schedule: Schedule.spaced("11 minutes").pipe(Schedule.upTo({ times: 1 })) }
} as const
export type PolicyName = keyof typeof policies

/** Milliseconds of one postponement. */
export const laterMillis = 1500
/** Milliseconds after its publish at which an event is postponed no more. */
export const laterUntil = 4000
export const maxPostponed = 3
export const deadlineMillis = 3000

export interface Mix {
  readonly seed: number
  readonly weights: Readonly<Partial<Record<Kind, number>>>
  /** How often a handler takes time. */
  readonly slow: number
}

export const of = (mix: Mix, subscriber: string, n: number): HandlerScript => {
  const random = RandomSource.forPurpose(mix.seed, "behaviour", subscriber, n)
  const kind = random.weighted<Kind>(mix.weights)
  return {
    kind,
    times: kind === "reject" ? random.int(0, 1) : random.one(0.3) ? 99 : random.int(1, 2),
    turns: random.one(0.5) ? 0 : random.int(1, 12),
    millis: random.one(mix.slow) ? random.int(1, 900) : 0
  }
}

/** How an event ends in a subscriber. */
export type End =
  | { readonly _tag: "Handled" }
  | { readonly _tag: "Dead"; readonly reason: string; readonly attempts: number | undefined }

export const endOf = ({ kind, times }: HandlerScript, policy: PolicyName): End => {
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

/** The error of its attempts, as its dead letter must name it. */
export const errorTags: Readonly<Partial<Record<Kind, string>>> = {
  fail: "SimFailure",
  defect: "Error",
  timeout: "HandlerTimeout",
  reject: "Reject",
  "later for ever": "Later",
  kill: "CrashLoop"
}
