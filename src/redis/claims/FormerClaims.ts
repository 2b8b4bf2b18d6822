/**
 * Claims and done marks where they were before. Without a namespace of its own for state, a service had them in the common
 * one. Before that there was a key for each subscriber and id, whatever the source and the type of the event. They are
 * only read, and only until none of them can be left, so that a deploy does not handle again what
 * was handled before it. Until then an event of another producer that shares the id of a mark of that form counts as
 * handled, as it did when the mark was written.
 */
import type { Claim, Subject } from "../../bus/port/ClaimStore.ts"
import type { Commands } from "../connection/Connection.ts"
import type { Keys } from "../connection/Keys.ts"
import { isReply } from "../connection/RedisError.ts"

export interface FormerClaims {
  /** What the former form has of an event. Returns undefined when it has nothing, and when it is not asked any more. */
  readonly find: (redis: Commands, subject: Subject) => Promise<Claim | undefined>
}

/**
 * Done marks live for a day. Processes of the version that wrote them may run beside this one for another day, while a
 * deploy goes on.
 */
const readMillis = 48 * 60 * 60 * 1000

/** `common` are the keys of the common namespace; undefined when claims are there still. */
export const make = (keys: Keys, common: Keys | undefined, now: () => number): FormerClaims => {
  const end = now() + readMillis
  const keysOf = (subject: Subject): ReadonlyArray<string> => {
    const { id, subscriber } = subject
    return common === undefined
      ? [keys.formerClaim(subscriber, id)]
      : [common.claim(subscriber, subject), common.formerClaim(subscriber, id)]
  }
  const read = async (redis: Commands, key: string): Promise<Claim | undefined> => {
    const held = await redis.get(key)
    if (held === null) return undefined
    if (held === "done") return { _tag: "Done" }
    const millis = await redis.pttl(key)
    return millis > 0 ? { _tag: "Held", millis } : undefined
  }
  return {
    find: async (redis, subject) => {
      if (now() >= end) return undefined
      try {
        const found = await Promise.all(keysOf(subject).map((key) => read(redis, key)))
        return found.find((claim) => claim !== undefined)
      } catch (error) {
        // A refused read must not hide the answer to the claim.
        if (isReply(error)) return undefined
        throw error
      }
    }
  }
}
