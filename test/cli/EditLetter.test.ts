/** `eventbus dead-letters edit` on a real RabbitMQ. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { byCommand } from "../../src/operations/Reports.ts"
import { describeLive } from "../support/live.ts"
import { Posted } from "./contracts.ts"
import { eventbus, reported } from "./Eventbus.ts"
import { contracts, spaced, withBus } from "./LetterBus.ts"

const flow = { tenant: "school-7", actor: { id: "u-1", role: "teacher" }, baggage: { cohort: "summer" } }

describeLive(
  "eventbus dead-letters edit",
  () => {
    it.live(
      "replays the same event with other data, and its history says which fields changed, never their values",
      () =>
        withBus(({ bus, depth, handled, letters, settings }) =>
          Effect.gen(function* () {
            const { id } = yield* bus.publish(Posted, { text: "k", pin: "bad-1" }, { correlationId: "flow-1", ...flow })
            yield* depth(1)
            const patch = ["dead-letters", "edit", "mailer", id, "--patch", `{"pin":"bad-2"}`, ...contracts]
            const dry = yield* eventbus(settings, ...patch)
            assert.deepStrictEqual(
              [dry.code, dry.out.split("\n").slice(0, 2)],
              [0, [`would be edited and replayed: ${id}`, "  data.pin"]]
            )
            const soon = yield* eventbus(settings, ...patch, "--expires-after", "soon")
            assert.strictEqual(soon.code, 2)
            assert.match(soon.err, /expiresAfter: .+1 millisecond to 3650 days/s)
            yield* depth(1)
            const done = yield* reported(settings, ...patch, "--yes")
            const report = Schema.decodeUnknownSync(byCommand["dead-letters edit"])(done.report)
            assert.deepStrictEqual([report.dryRun, report.changed], [false, ["data.pin"]])
            yield* Effect.repeat(
              Effect.sync(() => handled.length),
              { until: (count) => count === 2, schedule: spaced }
            )
            yield* depth(1)
            assert.deepStrictEqual(handled, [`${id} bad-1`, `${id} bad-2`])
            const [letter] = yield* letters.list("mailer")
            assert.deepStrictEqual(
              letter?.edits.map(({ paths }) => paths),
              [["data.pin"]]
            )
            assert.deepStrictEqual([letter?.replays, letter?.replayId], [1, report.replayId])
            const body: unknown = JSON.parse(letter?.body.toString() ?? "")
            assert.deepInclude(body, { id, correlationid: "flow-1", subject: "k", source: "service" })
            assert.deepInclude(body, { tenant: "school-7", actor: "u-1", actorrole: "teacher" })
            assert.strictEqual(letter?.headers["baggage"], "cohort=summer")
            const shown = yield* eventbus(settings, "dead-letters", "show", "mailer", id, ...contracts)
            assert.match(shown.out, /^edited +\S+: data\.pin$/m)

            const whole = yield* eventbus(
              settings,
              "dead-letters",
              "edit",
              "mailer",
              id,
              "--data",
              `{"text":"k","pin":"good"}`,
              "--yes",
              ...contracts
            )
            assert.strictEqual(whole.code, 0)
            yield* Effect.repeat(
              Effect.sync(() => handled.length),
              { until: (count) => count === 3, schedule: spaced }
            )
            assert.strictEqual(handled[2], `${id} good`)
            yield* depth(0)
            for (const { err, out } of [dry, shown, whole])
              assert.notMatch(out + err, /bad-[12]|good|school-7|u-1|summer/)
          })
        )
    )

    it.live("refuses what would be another event, what its contract refuses, and what changes nothing", () =>
      withBus(({ bus, depth, settings }) =>
        Effect.gen(function* () {
          const { id } = yield* bus.publish(Posted, { text: "k", pin: "bad-1" })
          yield* depth(1)
          const edit = (...args: ReadonlyArray<string>) =>
            eventbus(settings, "dead-letters", "edit", "mailer", id, ...args, "--yes")
          for (const [args, words] of [
            [["--patch", `{"text":"other"}`, ...contracts], "its key would be another one"],
            [["--patch", `{"text":5}`, ...contracts], "data.text: Expected string"],
            [["--patch", `{"pni":"x"}`, ...contracts], "data.pni: version 1 of the contract has no such field"],
            [["--patch", `{"text":"k"}`, ...contracts], "nothing in it would change"],
            [["--patch", `{"text"`, ...contracts], "the data is not JSON"],
            [["--patch", "{}"], "has no contract here"],
            [contracts, "give --data or --patch"]
          ] as const) {
            const { code, err, out } = yield* edit(...args)
            assert.deepStrictEqual([code, out], [2, ""], words)
            assert.include(err, words)
            assert.notInclude(err, "bad-1")
          }
          const none = yield* eventbus(settings, "dead-letters", "edit", "mailer", "none", "--data", "{}", ...contracts)
          assert.strictEqual(none.code, 1)
          const nobody = yield* eventbus(settings, "dead-letters", "edit", "undeliverable", id, "--data", "{}")
          assert.strictEqual(nobody.code, 2)
          assert.include(nobody.err, "an undeliverable event has no subscriber")
          yield* depth(1)
        })
      )
    )
  },
  ["rabbit"]
)
