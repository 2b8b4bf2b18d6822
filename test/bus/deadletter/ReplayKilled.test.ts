/** Replays on RabbitMQ whose process is killed, or whose queue is deleted, at a bad moment. */
import { assert, it } from "@effect/vitest"
import { connect } from "amqplib"
import { Effect, Layer } from "effect"
import { spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import * as AmqpBroker from "../../../src/amqp/AmqpBroker.ts"
import { type Broker, inFlight } from "../../../src/bus/port/Broker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import * as Event from "../../../src/event/Event.ts"
import { makeLedger } from "../../../src/ports/conformance/setup/HandlerLedger.ts"
import { Numbered, upTo } from "../../../src/ports/conformance/setup/TestEvents.ts"
import { processOver, start } from "../../../src/ports/conformance/setup/BusProcess.ts"
import { untilEffect } from "../../../src/ports/conformance/setup/Waiting.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../../support/live.ts"

const Happened = Event.make("replay.happened", { version: 1, data: Numbered })

const openProcess = (namespace: string) =>
  start(
    processOver(Layer.merge(AmqpBroker.layer({ servers: rabbitUrl(), namespace, source: "suite" }), MemoryCache.layer))
  )

/** Puts a letter into the dead-letter queue of a subscriber without a failed event. */
const put = (broker: Broker["Service"], subscriber: string, n: number) =>
  Effect.callback<void>((resume) =>
    broker.send(
      inFlight(
        {
          to: { _tag: "DeadLetter", subscriber },
          key: undefined,
          body: Buffer.from(JSON.stringify({ n })),
          properties: {
            messageId: `letter-${n}`,
            type: Happened.name,
            timestamp: Date.now(),
            appId: "suite",
            contentType: "application/json"
          },
          headers: { "bus-reason": "Exhausted" }
        },
        () => resume(Effect.void)
      )
    )
  )

/** Runs the program and returns its last line, or undefined when it was killed. */
const operate = async (namespace: string, subscriber: string, end: "whole" | "begins" | number) => {
  const args = [rabbitUrl(), namespace, subscriber, typeof end === "number" ? `${end}` : "0"]
  const child = spawn(process.execPath, [join(import.meta.dirname, "ReplayProgram.ts"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "eventbus-compile-cache") }
  })
  const exited = once(child, "exit")
  let last: string | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    last = line
    if (line === "begins" && end === "begins") setTimeout(() => child.kill("SIGKILL"), randomInt(100))
  }
  await exited
  return child.signalCode === "SIGKILL" ? undefined : last
}

describeLive(
  "a replay on RabbitMQ",
  () => {
    it.live("R6: killed again and again, it loses nothing, and another replay finishes it", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const { broker, letters, subscribe } = yield* openProcess(namespace)
        const subscriber = "killed"
        const count = 500
        yield* broker.declare({ name: subscriber, ordering: "none", patterns: [Happened.name] })
        yield* Effect.forEach(upTo(count), (n) => put(broker, subscriber, n), { concurrency: 200, discard: true })
        let killed = 0
        for (const end of [randomInt(1, 60), randomInt(60, 150), "begins", randomInt(1, 100)] as const) {
          if ((yield* Effect.promise(() => operate(namespace, subscriber, end))) === undefined) killed++
        }
        assert.isAtLeast(killed, 3, "it was not killed midway")
        assert.isAbove((yield* broker.depth(subscriber)).ready, 0, "it sent nothing before it was killed")
        const ledger = makeLedger()
        yield* subscribe(subscriber, { events: [Happened], handler: ledger.handler })
        // The broker gets back the letters of a killed process when it notices that the process is gone.
        let found: ReadonlySet<number> = new Set()
        yield* untilEffect(
          () => `${found.size} of ${count}`,
          Effect.gen(function* () {
            yield* Effect.promise(() => operate(namespace, subscriber, "whole"))
            found = new Set(ledger.numbers())
            return (yield* letters.count(subscriber)) === 0 && found.size === count
          })
        )
        const duplicates = ledger.entries.length - count
        // Each kill duplicates at most the letters that the replay held: two windows of src/amqp/consuming/DeadLetterPump.ts.
        assert.isAtMost(duplicates, killed * (64 + 250))
        assert.isTrue(
          ledger.entries.every(({ event, info }) => event.id === `letter-${event.data.n}` && info.attempt === 1)
        )
      }).pipe(Effect.scoped)
    )

    it.live("P8: sends nothing for a subscriber whose queue was deleted, and fails with the reason", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const { broker, letters } = yield* openProcess(namespace)
        yield* broker.declare({ name: "deleted", ordering: "none", patterns: [Happened.name] })
        yield* Effect.forEach(upTo(3), (n) => put(broker, "deleted", n))
        yield* Effect.promise(async () => {
          const model = await connect(rabbitUrl())
          const channel = await model.createChannel()
          await channel.deleteQueue(`${namespace}.sub.deleted`)
          await model.close()
        })
        const error = yield* Effect.flip(letters.replay("deleted"))
        assert.strictEqual(error.reason._tag, "TopologyMissing")
        assert.strictEqual(error.replayed, 0)
        assert.include(error.message, "sub.deleted")
        assert.strictEqual((yield* letters.list("deleted")).length, 3)
      }).pipe(Effect.scoped)
    )
  },
  ["rabbit"]
)
