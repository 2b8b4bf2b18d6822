/** One question to Redis. A refusal is an answer; nothing that it says beyond its code is kept. */
import * as Effect from "effect/Effect"
import type { Commands } from "../connection/Connection.ts"
import { isReply, reasonOf } from "../connection/RedisError.ts"

export interface Reply {
  readonly value: unknown
  /** Undefined if it was answered; `ERR` and the like, or `SILENT`. */
  readonly code: string | undefined
}

export type Ask = (command: string, ...args: ReadonlyArray<string>) => Effect.Effect<Reply>

export const asker =
  (redis: Commands, address: string, millis: number): Ask =>
  (command, ...args) =>
    Effect.tryPromise({
      try: () => redis.call(command, ...args),
      catch: (error) => {
        const reason = reasonOf(error, address)
        return reason._tag === "Refused" ? reason.code : isReply(error) ? "ERR" : "SILENT"
      }
    }).pipe(
      Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.fail("SILENT") }),
      Effect.match({
        onSuccess: (value): Reply => ({ value, code: undefined }),
        onFailure: (code): Reply => ({ value: undefined, code })
      })
    )
