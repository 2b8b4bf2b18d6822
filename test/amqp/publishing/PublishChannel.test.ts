/** A publish channel that the broker closes while it opens. */
import { assert, describe, it } from "@effect/vitest"
import { connect } from "amqplib"
import { Effect, Exit } from "effect"
import * as AmqplibInternals from "../../../src/amqp/AmqplibInternals.ts"
import * as Call from "../../../src/amqp/connection/Call.ts"
import * as SecretRenewal from "../../../src/amqp/connection/SecretRenewal.ts"
import type { Link } from "../../../src/amqp/connection/Link.ts"
import * as ScopedChannel from "../../../src/amqp/connection/ScopedChannel.ts"
import * as LetterRenewal from "../../../src/amqp/consuming/LetterRenewal.ts"
import * as PublishChannel from "../../../src/amqp/publishing/PublishChannel.ts"
import * as ClosingServer from "../setup/ClosingServer.ts"

/** A connection to a server that closes the confirm channels of these places. */
const linkTo = Effect.fnUntraced(function* (closes: (opened: number) => boolean) {
  const server = yield* Effect.acquireRelease(
    Effect.promise(() => ClosingServer.start(closes)),
    ({ close }) => Effect.sync(close)
  )
  const losses: Array<unknown> = []
  const model = yield* Effect.acquireRelease(
    Effect.promise(() => connect(`amqp://guest:guest@127.0.0.1:${server.port}?heartbeat=0`)),
    (made) => Effect.sync(() => AmqplibInternals.destroy(made))
  )
  model.on("error", (error) => losses.push(error))
  const call = Call.make(10_000, "guest")
  const link: Link = {
    model,
    call,
    epoch: 1,
    address: "here:5672",
    username: "guest",
    credentials: undefined,
    secret: SecretRenewal.fixed,
    silence: () => undefined,
    maxFrameBytes: 131_072
  }
  return { link, losses, server }
})

const options = { callMillis: 10_000, onReturn: () => {}, onLost: () => () => {} }

describe("a publish channel", () => {
  it.live("P2, P11: is opened again when the broker closes it right behind the answer, on the same connection", () =>
    Effect.gen(function* () {
      const { link, losses, server } = yield* linkTo((opened) => opened <= 2)
      const opened = yield* PublishChannel.open(link, options)
      assert.isTrue(opened.isOpen())
      assert.strictEqual(server.opened(), 3)
      assert.strictEqual(server.connections(), 1)
      assert.deepStrictEqual(losses, [])
    })
  )

  it.live("P2, P11: that is always closed is one typed failure, and the connection goes on", () =>
    Effect.gen(function* () {
      const { link, losses } = yield* linkTo(() => true)
      const exit = yield* Effect.exit(PublishChannel.open(link, options))
      const error = Exit.isFailure(exit) ? yield* Effect.flip(exit) : assert.fail("it opened")
      assert.strictEqual(error.reason._tag, "Connection")
      assert.include(error.message, "a channel was closed while it was opened")
      assert.include(error.message, "INTERNAL_ERROR")
      assert.deepStrictEqual(losses, [])
      yield* Effect.scoped(ScopedChannel.open(link))
    })
  )

  it.live("P8, P11: the same for the channel by which dead letters are stored anew", () =>
    Effect.gen(function* () {
      const { link, losses } = yield* linkTo(() => true)
      const place = { queue: "letters", exchange: "dead", routingKey: "a" }
      const error = yield* Effect.flip(LetterRenewal.open(link, place, () => {}))
      assert.strictEqual(error.reason._tag, "Connection")
      assert.include(error.message, "a channel was closed while it was opened")
      assert.deepStrictEqual(losses, [])
      yield* Effect.scoped(ScopedChannel.open(link))
    })
  )
})
