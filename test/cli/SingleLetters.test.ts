/** `eventbus dead-letters export --complete`, `import` and `watch` on a real RabbitMQ. */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { byCommand } from "../../src/operations/Reports.ts"
import { describeLive } from "../support/live.ts"
import { Posted } from "./contracts.ts"
import { eventbus, reported, type Settings } from "./Eventbus.ts"
import { contracts, spaced, withBus } from "./LetterBus.ts"

const inFolder = <A, E, R>(use: (folder: string) => Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "eventbus-letters-"))),
    use,
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

describeLive(
  "eventbus dead-letters import",
  () => {
    const take = (settings: Settings, file: string) =>
      reported(settings, "dead-letters", "export", "mailer", "--complete", "--out", file)
    const bring = (settings: Settings, file: string, ...more: ReadonlyArray<string>) =>
      Effect.map(reported(settings, "dead-letters", "import", file, ...more), ({ code, report }) => ({
        code,
        report: Schema.decodeUnknownSync(byCommand["dead-letters import"])(report)
      }))

    for (const signed of [false, true])
      it.live(`brings letters back as they were, each once, as often as it is run${signed ? ", signed" : ""}`, () =>
        withBus(
          ({ bus, depth, handled, letters, settings }) =>
            inFolder((folder) =>
              Effect.gen(function* () {
                for (let number = 0; number < 5; number++)
                  yield* bus.publish(
                    Posted,
                    { text: `t${number}`, pin: `bad-${number}` },
                    { headers: { own: number }, baggage: { cohort: `${number}` } }
                  )
                yield* depth(5)
                const before = yield* letters.list("mailer")
                assert.deepStrictEqual(before.map(({ headers }) => headers["baggage"]).toSorted(), [
                  "cohort=0",
                  "cohort=1",
                  "cohort=2",
                  "cohort=3",
                  "cohort=4"
                ])
                const file = join(folder, "letters.ndjson")
                yield* take(settings, file)
                // Two of them are gone: those alone are brought back.
                yield* letters.discard("mailer", { ids: before.slice(1, 3).map(({ eventId }) => eventId) })
                const dry = yield* bring(settings, file)
                assert.deepInclude(dry.report, { dryRun: true, imported: 2, present: 3 })
                yield* depth(3)
                const first = yield* bring(settings, file, "--yes")
                assert.deepInclude(first.report, { imported: 2, present: 3, refused: 0, next: null })
                yield* depth(5)
                const again = yield* bring(settings, file, "--yes")
                assert.deepInclude(again.report, { imported: 0, present: 5 })
                const after = yield* letters.list("mailer")
                const plain = (one: (typeof after)[number]) => ({ ...one, cursor: "" })
                const byId = (one: { readonly eventId: string }, other: { readonly eventId: string }) =>
                  one.eventId.localeCompare(other.eventId)
                const unsigned = (one: object) => {
                  const { headers, ...rest } = one as { readonly headers: Readonly<Record<string, unknown>> }
                  return { ...rest, headers: Object.fromEntries(Object.entries(headers).toSorted()) }
                }
                assert.deepStrictEqual(
                  after.map(plain).toSorted(byId).map(unsigned),
                  before.map(plain).toSorted(byId).map(unsigned)
                )
                const { replayed } = yield* letters.replay("mailer")
                assert.strictEqual(replayed, 5)
                yield* Effect.repeat(
                  Effect.sync(() => handled.length),
                  {
                    until: (count) => count === 10,
                    schedule: spaced
                  }
                )
              })
            ),
          signed
        )
      )

    it.live("refuses lines that have lost something, or are no letters, and goes on", () =>
      withBus(({ bus, depth, settings }) =>
        inFolder((folder) =>
          Effect.gen(function* () {
            yield* bus.publish(Posted, { text: "t", pin: "bad" })
            yield* depth(1)
            const [shown, complete] = [join(folder, "shown.ndjson"), join(folder, "complete.ndjson")]
            yield* eventbus(settings, "dead-letters", "export", "mailer", "--body", "--out", shown, ...contracts)
            yield* take(settings, complete)
            const letter = readFileSync(complete, "utf8").trim()
            const forged = JSON.stringify({
              ...JSON.parse(letter),
              original: { ...JSON.parse(letter).original, headers: { "bus-attempt": 9 } }
            })
            const file = join(folder, "mixed.ndjson")
            writeFileSync(
              file,
              [readFileSync(shown, "utf8").trim(), "{}", "no json", forged, letter, letter].join("\n")
            )
            const { code, report } = yield* bring(settings, file, "--yes")
            assert.deepStrictEqual(
              report.refusals.map(({ line, message }) => [line, message.split(":")[0]]),
              [
                [1, "it was exported without everything that it had"],
                [2, "it is no dead letter as `eventbus dead-letters export` writes it"],
                [3, "the data is not JSON"],
                [4, 'it has a header "bus-attempt", which no publisher may set']
              ]
            )
            // One of two equal lines is in the queue already.
            assert.deepInclude(report, { imported: 1, present: 1, refused: 4 })
            assert.strictEqual(code, 4)
            yield* depth(2)
          })
        )
      )
    )

    it.live("stops where a queue is missing, and says at which line", () =>
      withBus(({ bus, depth, settings }) =>
        inFolder((folder) =>
          Effect.gen(function* () {
            yield* bus.publish(Posted, { text: "t", pin: "bad" })
            yield* depth(1)
            const file = join(folder, "letters.ndjson")
            yield* take(settings, file)
            writeFileSync(file, readFileSync(file, "utf8").replaceAll('"source":"mailer"', '"source":"nobody"'))
            const { code, err } = yield* eventbus(settings, "dead-letters", "import", file, "--yes")
            assert.strictEqual(code, 1)
            assert.include(err, ".dead.nobody")
          })
        )
      )
    )
  },
  ["rabbit"]
)

describeLive(
  "eventbus dead-letters watch",
  () => {
    for (const signed of [false, true])
      it.live(`shows each new letter and takes none${signed ? ", signed" : ""}`, () =>
        withBus(
          ({ bus, depth, settings }) =>
            Effect.gen(function* () {
              yield* bus.publish(Posted, { text: "before", pin: "bad" })
              yield* depth(1)
              const begun = yield* Deferred.make<void>()
              const fiber = yield* Effect.forkScoped(
                eventbus(settings, "dead-letters", "watch", "mailer", "--limit", "2", "--json", {
                  onLine: () => Deferred.doneUnsafe(begun, Effect.void)
                })
              )
              yield* Deferred.await(begun)
              const ids = [
                (yield* bus.publish(Posted, { text: "one", pin: "bad" })).id,
                (yield* bus.publish(Posted, { text: "two", pin: "bad" })).id
              ]
              const { code, out } = yield* Fiber.join(fiber)
              const items = out
                .split("\n")
                .map((line) => Schema.decodeUnknownSync(byCommand["dead-letters watch"])(JSON.parse(line)))
              assert.strictEqual(code, 0)
              assert.deepStrictEqual(
                items.map((item) => (item.kind === "dead-letters.letter" ? item.id : item.kind)),
                ["tail.begun", ...ids, "tail"]
              )
              for (const item of items)
                if (item.kind === "dead-letters.letter") assert.strictEqual(item.signed, signed ? true : null)
              yield* depth(3)
            }),
          signed
        )
      )
  },
  ["rabbit"]
)
