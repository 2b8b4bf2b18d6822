/**
 * `Marks` in Redis, for all processes of a service. A mark is one key, so each step is one script in one
 * slot: the text `done`, or `<fence>:<claimant>` with the time to live of the lease. Fences are Redis'
 * own clock in microseconds: they grow although leases end.
 */
import { Effect, Layer } from "effect"
import { type Claim, Marks, type MarkStore, type Subject } from "../bus/Marks.ts"
import * as Keys from "./Keys.ts"
import { RedisClient } from "./RedisClient.ts"
import * as Scripts from "./Scripts.ts"

export const make = (client: RedisClient["Service"]): MarkStore => {
  const keys = Keys.make(client.prefix)
  const ask = (script: Scripts.Script, subject: Subject, ...args: ReadonlyArray<string>) =>
    client.use((redis) => Scripts.ask(redis, { script, keys: [keys.mark(subject.subscriber, subject.id)], args }))
  return {
    claim: (subject, claimant, leaseMillis) =>
      Effect.map(ask(Scripts.claim, subject, claimant, String(Math.ceil(leaseMillis))), claimOf),
    done: (subject, claimant, ttlMillis) =>
      Effect.map(ask(Scripts.done, subject, claimant, String(Math.ceil(ttlMillis))), (answer) => answer === 1),
    release: (subject, claimant) => Effect.asVoid(ask(Scripts.release, subject, claimant))
  }
}

const claimOf = (answer: unknown): Claim => {
  const [what, value] = Array.isArray(answer) ? answer : []
  if (what === "done") return { _tag: "Done" }
  return what === "held" ? { _tag: "Held", millis: Number(value) } : { _tag: "Claimed", fence: Number(value) }
}

export const layer: Layer.Layer<Marks, never, RedisClient> = Layer.effect(Marks, Effect.map(RedisClient, make))
