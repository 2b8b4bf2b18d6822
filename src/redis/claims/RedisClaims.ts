/**
 * `ClaimStore` in Redis, for all processes of a service. A claim is one key, so each step is one script in one slot.
 * Its value is the done mark, the text `done` or `done:<digest>`, or `<fence>:<claimant>` with the time to live of the lease. Fences are
 * Redis' own clock in microseconds: they grow although leases end.
 *
 * A Redis that hung still runs what was sent to it, so a claim whose answer was lost may stand there. It is released
 * as soon as Redis answers again (OrphanedClaims.ts) instead of holding up its event for a whole lease.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { CacheError } from "../../bus/port/CacheError.ts"
import { type Claim, ClaimStore, type Subject } from "../../bus/port/ClaimStore.ts"
import * as Keys from "../connection/Keys.ts"
import { RedisClient } from "../connection/RedisClient.ts"
import * as Scripts from "../connection/Scripts.ts"
import * as FormerClaims from "./FormerClaims.ts"
import * as OrphanedClaims from "./OrphanedClaims.ts"

/** Lives as long as the current scope. */
export const make = Effect.fnUntraced(function* (client: RedisClient["Service"]) {
  const keys = Keys.make(client.prefix)
  const now = yield* Monotonic.make
  const common = client.prefix === client.settings.prefix ? undefined : Keys.make(client.settings.prefix)
  const former = FormerClaims.make(keys, common, now)
  const keyOf = (subject: Subject): string => keys.claim(subject.subscriber, subject)
  const ask = (script: Scripts.Script, key: string, ...args: ReadonlyArray<string>) =>
    client.use((redis) => Scripts.ask(redis, { script, keys: [key], args }))
  const release = (key: string, claimants: ReadonlyArray<string>) =>
    Effect.asVoid(ask(Scripts.release, key, ...claimants))
  const orphaned = yield* OrphanedClaims.make(release)
  const giveUp = (key: string, claimant: string) =>
    Effect.onError(release(key, [claimant]), () => Effect.sync(() => orphaned.add(key, claimant)))

  const store: ClaimStore["Service"] = {
    claim: (subject, claimant, leaseMillis) =>
      Effect.suspend(() => {
        const key = keyOf(subject)
        const own = orphaned.of(key)
        const args = [claimant, String(Math.ceil(leaseMillis)), ...own]
        let sent = false
        const answer = client.use((redis) => {
          sent = true
          const script = Scripts.ask(redis, { script: Scripts.claim, keys: [key], args })
          return Promise.all([script, former.find(redis, subject)])
        })
        // The same claimant may ask again, and must not lose then what it gets.
        orphaned.forget(key, [claimant])
        return answer.pipe(
          Effect.onExit((exit) =>
            Effect.sync(() => {
              // An answer settles our orphaned claims of this key: one was taken over, or none was there.
              if (Exit.isSuccess(exit)) orphaned.forget(key, own)
              else if (sent && !isRefused(exit.cause)) orphaned.add(key, claimant)
            })
          ),
          Effect.flatMap(([answer, found]) => {
            const claim = claimOf(answer)
            if (found === undefined || claim._tag !== "Claimed") return Effect.succeed(claim)
            return Effect.as(Effect.ignore(giveUp(key, claimant)), found)
          })
        )
      }),
    renew: (claims, leaseMillis) =>
      Effect.map(
        client.use(async (redis) => {
          const millis = String(Math.ceil(leaseMillis))
          const answers = await Scripts.askAll(
            redis,
            claims.map(({ claimant, fence, subject }) => ({
              script: Scripts.renew,
              keys: [keyOf(subject)],
              args: [claimant, fence.toFixed(0), millis]
            }))
          )
          const failed = answers.find((answer) => answer instanceof Error)
          if (failed !== undefined) throw failed
          return answers
        }),
        (answers) => answers.map((answer) => answer !== 0)
      ),
    done: (subject, claimant, millis) =>
      Effect.map(
        ask(Scripts.done, keyOf(subject), claimant, String(Math.ceil(millis)), subject.digest ?? ""),
        (answer) => answer === 1
      ),
    release: (subject, claimant) => Effect.suspend(() => giveUp(keyOf(subject), claimant))
  }
  return store
})

/** Redis answered no: nothing was stored. */
const isRefused = (cause: Cause.Cause<CacheError>): boolean =>
  Option.exists(Cause.findErrorOption(cause), ({ reason }) => reason._tag === "Refused")

const claimOf = (answer: unknown): Claim => {
  const [state, value] = Array.isArray(answer) ? answer : []
  if (state === "done")
    return typeof value === "string" && value !== "" ? { _tag: "Done", digest: value } : { _tag: "Done" }
  return state === "held" ? { _tag: "Held", millis: Number(value) } : { _tag: "Claimed", fence: Number(value) }
}

export const layer: Layer.Layer<ClaimStore, never, RedisClient> = Layer.effect(
  ClaimStore,
  Effect.flatMap(RedisClient, make)
)
