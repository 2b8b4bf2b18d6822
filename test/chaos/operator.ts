/** An operator who looks at dead letters again and again: pages of them, and what a replay would do. */
import { connect } from "amqplib"
import { Effect, Layer } from "effect"
import { DeadLetters, EventBus, runMain } from "../../src/index.ts"
import { busOptions, openHarness } from "./ProcessHarness.ts"
import type { OperatorOptions } from "./ProcessOptions.ts"

// The run that started this process wrote it.
const options = JSON.parse(process.argv[2] ?? "{}") as OperatorOptions
const { bug, namespace, subscribers, url } = options
const harness = openHarness(options)
const { write } = harness

const look = Effect.fnUntraced(function* (g: string) {
  const letters = yield* DeadLetters
  const page = yield* letters.list(g, { limit: 100 })
  write({ t: "look", g, letters: page.length })
  yield* letters.replay(g, { dryRun: true })
})

/** Takes them by hand and gives them back, as often as it likes. */
const looksByHand = async (g: string): Promise<void> => {
  const model = await connect(url.split(",")[0] ?? url)
  const channel = await model.createChannel()
  let letters = 0
  while ((await channel.get(`${namespace}.dead.${g}`)) !== false) letters++
  write({ t: "look", g, letters })
  await model.close()
}

const Looking = Layer.effectDiscard(
  Effect.gen(function* () {
    write({ t: "ready" })
    const round = Effect.forEach(subscribers, (g) =>
      Effect.ignore(bug === "looks-take-lives" ? Effect.promise(() => looksByHand(g)) : look(g))
    )
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(round, Effect.sleep("50 millis"))))
  })
)

runMain(Looking.pipe(Layer.provide(EventBus.layerAmqp(busOptions(options))), Layer.provide(harness.log)))
