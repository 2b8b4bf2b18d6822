/** The command on a terminal: colours, the line that follows a replay, its width, and Ctrl-C in the midst of it. */
import { assert, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { DeadLetters, EventBus, Reject } from "../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { Posted } from "./contracts.ts"
import type { Settings } from "./Eventbus.ts"
import { linesOf, open } from "./Pty.ts"

const escape = "\u001b["
const spaced = Schedule.spaced("20 millis")

/** A namespace with this many letters of a subscriber that handles them the second time; how many it has handled. */
const withLetters = <A, E, R>(
  count: number,
  use: (parts: {
    readonly settings: Settings
    readonly letters: DeadLetters["Service"]
    readonly handled: () => number
  }) => Effect.Effect<A, E, R>
) => {
  const namespace = freshNamespace()
  const settings: Settings = { EVENTBUS_URL: rabbitUrl(), EVENTBUS_NAMESPACE: namespace }
  const seen = new Set<string>()
  let handled = 0
  return Effect.gen(function* () {
    const bus = yield* EventBus
    const letters = yield* DeadLetters
    yield* bus.subscribe("mailer", {
      events: [Posted],
      handler: ({ id }) =>
        Effect.suspend(() => {
          if (seen.has(id)) return Effect.sync(() => void handled++)
          seen.add(id)
          return new Reject({ reason: "first" })
        })
    })
    yield* bus.publishAll(
      Posted,
      Array.from({ length: count }, (_, at) => ({ text: `t${at}` }))
    )
    yield* Effect.repeat(letters.count("mailer"), { until: (found) => found === count, schedule: spaced })
    return yield* use({ settings, letters, handled: () => handled })
  }).pipe(Effect.scoped, Effect.provide(EventBus.layerAmqp({ url: rabbitUrl(), namespace })))
}

describeLive(
  "eventbus on a terminal",
  () => {
    it.live("has colours there, and none where they are not wanted", () =>
      Effect.promise(async () => {
        const settings = { EVENTBUS_URL: rabbitUrl(), EVENTBUS_NAMESPACE: freshNamespace() }
        const coloured = open(80, settings, "doctor", "--timeout", "60")
        assert.strictEqual(await coloured.ended, 0)
        assert.include(coloured.output(), `${escape}32mok${escape}0m`)
        for (const [name, value] of [
          ["NO_COLOR", "1"],
          ["TERM", "dumb"]
        ] as const) {
          const plain = open(80, { ...settings, [name]: value }, "doctor", "--timeout", "60")
          assert.strictEqual(await plain.ended, 0)
          assert.notInclude(plain.output(), escape, name)
        }
        const json = open(80, settings, "doctor", "--json", "--timeout", "60")
        assert.strictEqual(await json.ended, 0)
        assert.isTrue(JSON.parse(json.output()).healthy)
        const help = open(80, settings, "--help")
        assert.strictEqual(await help.ended, 0)
        assert.include(help.output(), escape)
      })
    )

    for (const [columns, most] of [
      [80, 79],
      [40, 39],
      // A terminal that does not say how wide it is.
      [0, 79]
    ] as const)
      it.live(`follows a replay on one line, no wider than a terminal of ${columns} columns`, () =>
        withLetters(10, ({ handled, settings }) =>
          Effect.gen(function* () {
            const args = ["dead-letters", "replay", "mailer", "--rate", "10", "--yes", "--timeout", "60"]
            const terminal = open(columns, settings, ...args)
            assert.strictEqual(yield* Effect.promise(() => terminal.ended), 0)
            const lines = linesOf(terminal.output()).filter((line) => /\d+ of 10$|^\d+\/10$/.test(line))
            assert.isAbove(lines.length, 2)
            for (const line of lines) assert.isAtMost(line.length, most)
            assert.match(lines.at(-1) ?? "", /10 of 10$|^10\/10$/)
            // It is gone before the report.
            assert.include(terminal.output(), `\r${escape}K10 replayed\r\n`)
            yield* Effect.repeat(Effect.sync(handled), { until: (count) => count === 10, schedule: spaced })
          })
        )
      )

    it.live("ends a replay by Ctrl-C: each letter is replayed or in its queue, and the line is gone", () =>
      withLetters(60, ({ handled, letters, settings }) =>
        Effect.gen(function* () {
          const args = ["dead-letters", "replay", "mailer", "--rate", "20", "--yes", "--timeout", "60"]
          const terminal = open(80, settings, ...args)
          yield* Effect.promise(() => terminal.shows(/ replayed \d+ of 60/))
          terminal.type("\u0003")
          assert.strictEqual(yield* Effect.promise(() => terminal.ended), 130)
          assert.isTrue(terminal.output().endsWith(`\r${escape}K`))
          const left = yield* Effect.repeat(letters.count("mailer"), {
            until: (count) => count + handled() === 60,
            schedule: spaced
          })
          assert.isAbove(left, 0)
          assert.isBelow(left, 60)
          const { replayed } = yield* letters.replay("mailer")
          assert.strictEqual(replayed, left)
          yield* Effect.repeat(Effect.sync(handled), { until: (count) => count === 60, schedule: spaced })
        })
      )
    )

    it.live("sums up what a tail has shown when Ctrl-C ends it", () =>
      withLetters(0, ({ settings }) =>
        Effect.gen(function* () {
          const bus = yield* EventBus
          const terminal = open(80, settings, "tail", "--timeout", "60")
          yield* Effect.promise(() => terminal.shows(/is shown from now on/))
          const { id } = yield* bus.publish(Posted, { text: "seen" })
          yield* Effect.promise(() => terminal.shows(new RegExp(id)))
          terminal.type("\u0003")
          assert.strictEqual(yield* Effect.promise(() => terminal.ended), 130)
          assert.match(terminal.output(), /1 shown\r\n$/)
        })
      )
    )
  },
  ["rabbit"]
)
