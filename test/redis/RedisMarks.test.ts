/** The marks in Redis against the suite of all stores. */
import { Effect, Redacted } from "effect"
import * as RedisClient from "../../src/redis/RedisClient.ts"
import * as RedisMarks from "../../src/redis/RedisMarks.ts"
import { markSuite } from "../suites/MarkSuite.ts"
import { describeLive, freshNamespace, redisUrl } from "../support/live.ts"

describeLive(
  "on Redis",
  () => {
    const prefix = freshNamespace()
    markSuite(
      "RedisMarks",
      Effect.map(
        RedisClient.make({ url: Redacted.make(redisUrl()), prefix, commandTimeout: "10 seconds" }),
        RedisMarks.make
      )
    )
  },
  ["redis"]
)
