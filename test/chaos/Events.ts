/** The events of a run: steps of keys, some of them poison, and what their dead letters must say. */
import { Schema } from "effect"
import { Event } from "../../src/index.ts"

/**
 * What programs without this library send: CloudEvents without a subject, with one that is not the contract's key, and
 * in binary mode, and plain JSON.
 */
export const foreign = ["without-subject", "other-subject", "binary-mode", "plain-json"] as const
/** Events that are handled in the end. `old` has version 1; `flaky` fails at its first attempt. */
export const healthy = ["plain", "old", "flaky", ...foreign] as const
/**
 * Events that end as dead letters. The last four are sent by hand, since the library refuses them. A version
 * newer than the contract is not among them: it is postponed for an hour, until a newer service may read it.
 */
export const poisons = ["throw", "hang", "reject", "bad-json", "wrong-schema", "bad-version", "deep"] as const
/** Killers have subscribers of their own. */
export const kinds = [...healthy, ...poisons, "killer"] as const
export type Kind = (typeof kinds)[number]

export const isPoison = (kind: Kind): boolean => kind === "killer" || poisons.some((poison) => poison === kind)
/** Sent by a foreign publisher, straight to the exchange. */
export const isForeign = (kind: Kind): boolean =>
  foreign.some((other) => other === kind) ||
  kind === "old" ||
  kind === "bad-json" ||
  kind === "wrong-schema" ||
  kind === "bad-version" ||
  kind === "deep"

/** An event in the journals: producers number their events alike, so an id alone says nothing. */
export const nameOf = (source: string, id: string): string => `${source}/${id}`

/** What the diagnosis of a dead letter must say. */
export interface Diagnosis {
  readonly reason: string
  readonly tag?: string
  readonly attempts?: number
}

export const diagnosis = (kind: Kind): Diagnosis => {
  switch (kind) {
    case "killer":
      return { reason: "CrashLoop" }
    case "throw":
      return { reason: "Exhausted", tag: "Thrown", attempts: 1 + retryMillis.length }
    case "hang":
      return { reason: "Exhausted", tag: "HandlerTimeout", attempts: 1 + retryMillis.length }
    case "reject":
      return { reason: "Rejected", tag: "Reject", attempts: 1 }
    default:
      return { reason: "Invalid", tag: "InvalidEvent", attempts: 1 }
  }
}

export const retryMillis = [100, 300, 900] as const

const version1 = Schema.Struct({
  key: Schema.String,
  seq: Schema.Finite,
  kind: Schema.Literals(kinds),
  /** How long the handler takes. */
  ms: Schema.Finite
})

/** One step of a key; `seq` gives the order. */
const version2 = Schema.Struct({ ...version1.fields, pad: Schema.String })
export const stepOptions = {
  version: 2,
  data: version2,
  key: (step: typeof version2.Type) => step.key,
  previous: [{ version: 1, data: version1, up: (old: typeof version1.Type) => ({ ...old, pad: "" }) }]
} as const
export const Step = Event.make("chaos.step", stepOptions)
export type Step = typeof Step.Type

const mortal = {
  version: 1,
  data: version1,
  key: (data: { readonly key: string }) => data.key
} as const
/** For the subscribers whose processes end by an event, one without order and one by key. */
export const Mortal = Event.make("chaos.mortal", mortal)
export const MortalByKey = Event.make("chaos.mortal-by-key", mortal)

/** For the subscriber whose queue is deleted. */
export const Tick = Event.make("chaos.tick", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
