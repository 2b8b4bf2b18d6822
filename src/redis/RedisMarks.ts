/**
 * `Marks` in Redis, for all processes of a service. A mark is one key, so each step is one script in one
 * slot: the text `done`, or `<fence>:<claimant>` with the time to live of the lease. Fences are Redis'
 * own clock in microseconds: they grow although leases end.
 *
 * A Redis that hung still runs what was sent to it, so a claim that nobody was answered for may stand
 * there: it is given up as soon as Redis answers again (Strays.ts) instead of holding up its event for
 * a whole lease.
 */
import { Cause, Effect, Exit, Layer, Option } from "effect"
import type { CacheError } from "../bus/EventCache.ts"
import { type Claim, Marks, type MarkStore, type Subject } from "../bus/Marks.ts"
import * as Keys from "./Keys.ts"
import { RedisClient } from "./RedisClient.ts"
import * as Scripts from "./Scripts.ts"
import * as Strays from "./Strays.ts"

/** Lives as long as the current scope. */
export const make = Effect.fnUntraced(function* (client: RedisClient["Service"]) {
  const keys = Keys.make(client.prefix)
  const keyOf = ({ id, subscriber }: Subject): string => keys.mark(subscriber, id)
  const ask = (script: Scripts.Script, key: string, ...args: ReadonlyArray<string>) =>
    client.use((redis) => Scripts.ask(redis, { script, keys: [key], args }))
  const release = (key: string, claimants: ReadonlyArray<string>) =>
    Effect.asVoid(ask(Scripts.release, key, ...claimants))
  const strays = yield* Strays.make(release)

  const store: MarkStore = {
    claim: (subject, claimant, leaseMillis) =>
      Effect.suspend(() => {
        const key = keyOf(subject)
        const own = strays.of(key)
        const args = [claimant, String(Math.ceil(leaseMillis)), ...own]
        let sent = false
        const asked = client.use((redis) => {
          sent = true
          return Scripts.ask(redis, { script: Scripts.claim, keys: [key], args })
        })
        // The same claimant may ask again, and must not lose then what it gets.
        strays.forget(key, [claimant])
        return asked.pipe(
          Effect.map(claimOf),
          Effect.onExit((exit) =>
            Effect.sync(() => {
              // Whoever is answered knows what became of its own strays: one was taken over, or none was there.
              if (Exit.isSuccess(exit)) strays.forget(key, own)
              else if (sent && !isRefused(exit.cause)) strays.add(key, claimant)
            })
          )
        )
      }),
    done: (subject, claimant, ttlMillis) =>
      Effect.map(ask(Scripts.done, keyOf(subject), claimant, String(Math.ceil(ttlMillis))), (answer) => answer === 1),
    release: (subject, claimant) =>
      Effect.onError(
        Effect.suspend(() => release(keyOf(subject), [claimant])),
        () => Effect.sync(() => strays.add(keyOf(subject), claimant))
      )
  }
  return store
})

/** Redis said no: nothing stands there. */
const isRefused = (cause: Cause.Cause<CacheError>): boolean =>
  Option.exists(Cause.findErrorOption(cause), ({ reason }) => reason._tag === "Refused")

const claimOf = (answer: unknown): Claim => {
  const [what, value] = Array.isArray(answer) ? answer : []
  if (what === "done") return { _tag: "Done" }
  return what === "held" ? { _tag: "Held", millis: Number(value) } : { _tag: "Claimed", fence: Number(value) }
}

export const layer: Layer.Layer<Marks, never, RedisClient> = Layer.effect(Marks, Effect.flatMap(RedisClient, make))
