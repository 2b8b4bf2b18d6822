/**
 * The demo: five services of a university on one bus. Without settings it runs on the embedded bus;
 * with `EVENTBUS_URL` and `EVENTBUS_REDIS_URL` on RabbitMQ and Redis.
 *
 * It ends with 0 when every event is accounted for, or when a signal drained it; with 1 when an event is
 * missing, could not be published, or a line of a file was refused.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Config, Console, Data, Effect, Layer, Option, References, Runtime } from "effect"
import { Command, Flag } from "effect/cli"
import { settings } from "../Config.ts"
import * as Server from "../http/Server.ts"
import { EventBusLive, eventBusLive } from "../Live.ts"
import { runMain } from "../runMain.ts"
import * as Telemetry from "../Telemetry.ts"
import * as Academic from "./Academic.ts"
import * as FromFile from "./FromFile.ts"
import * as Kyc from "./Kyc.ts"
import * as Ledger from "./Ledger.ts"
import * as Notification from "./Notification.ts"
import * as Social from "./Social.ts"
import * as Stage from "./Stage.ts"
import * as Summary from "./Summary.ts"
import * as Table from "./Table.ts"
import * as Traffic from "./Traffic.ts"
import * as User from "./User.ts"

/** Ends the demo with a code other than 0; what is to be said has been said. */
class Failed extends Data.TaggedError("Failed")<{}> {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false
}

const flags = {
  events: Flag.Int("events").pipe(
    Flag.withDescription("Stop after so many events, not counting what follows from them, with a summary of each"),
    Flag.optional
  ),
  rate: Flag.Int("rate").pipe(Flag.withDescription("Events a second"), Flag.withDefault(100)),
  seed: Flag.Int("seed").pipe(Flag.withDescription("The same seed makes the same events"), Flag.withDefault(7)),
  port: Flag.Int("port").pipe(Flag.withDescription("Port of /health and /metrics; 0 takes a free one"), Flag.optional),
  host: Flag.String("host").pipe(
    Flag.withDescription("Where these are listened for: 0.0.0.0 in a container"),
    Flag.withDefault("127.0.0.1")
  ),
  from: Flag.String("from").pipe(
    Flag.withDescription("Publish events from a file of NDJSON, or - for stdin, instead of generated ones"),
    Flag.optional
  ),
  verbose: Flag.Boolean("verbose").pipe(Flag.withDescription("Show what the runtime logs"), Flag.withDefault(false))
}

/** With a broker the settings of the environment hold, without one those that need none. */
const bus = Layer.unwrap(
  Effect.gen(function* () {
    if (Option.isSome(yield* Config.option(settings.url.config))) return EventBusLive
    const redisUrl = yield* settings.redisUrl.config
    return eventBusLive({
      url: "memory://",
      source: "eduflow-demo",
      namespace: yield* settings.namespace.config,
      ...(redisUrl !== undefined && { redisUrl })
    })
  })
)

/** The logs of the demo stay as they are until there is a collector to send them to. */
const telemetry = Layer.unwrap(
  Effect.map(Config.option(Config.String("OTEL_EXPORTER_OTLP_ENDPOINT")), (endpoint) =>
    Option.isSome(endpoint) ? Telemetry.layer({ service: "eduflow-demo" }) : Layer.empty
  )
)

const demo = Command.make(
  "demo",
  flags,
  Effect.fnUntraced(function* ({ events, from, host, port, rate, seed, verbose }) {
    const count = Option.getOrUndefined(events)
    const file = Option.getOrUndefined(from)
    if ((count !== undefined && count < 1) || rate < 1) {
      yield* Console.error("--events and --rate are numbers from 1 up")
      return yield* new Failed()
    }
    const bounded = count !== undefined || file !== undefined
    const ledger = Ledger.make({ keepIds: bounded })
    const stage = Stage.make(ledger, seed)
    const services = Layer.mergeAll(
      Academic.layer(stage),
      User.layer(stage),
      Social.layer(stage),
      Notification.layer(stage),
      Kyc.layer(stage)
    )
    let address = ""
    const http = Server.layer({
      host,
      port: Option.getOrElse(port, () => (bounded ? 0 : 8080)),
      onListen: (url) => {
        address = url
      }
    })

    yield* Effect.gen(function* () {
      yield* Console.log(`health and metrics at ${address}/health and ${address}/metrics`)
      if (!bounded) {
        yield* Effect.forkScoped(Traffic.run(stage, ledger, { count, rate, seed }))
        return yield* Table.show(ledger)
      }
      const refused =
        file === undefined
          ? yield* Effect.as(Traffic.run(stage, ledger, { count, rate, seed }), 0)
          : yield* FromFile.run(ledger, { file, count, onBad: (error) => Console.error(error.message) })
      const { accounted, text } = yield* Summary.conclude(ledger)
      yield* Console.log(text)
      if (refused > 0) yield* Console.error(`${refused} ${refused === 1 ? "line was" : "lines were"} refused`)
      if (!accounted || refused > 0) return yield* new Failed()
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.mergeAll(services, http).pipe(
          Layer.provide(Layer.effectDiscard(Stage.bury(ledger))),
          Layer.provideMerge(bus),
          Layer.provideMerge(telemetry)
        )
      ),
      Effect.provideService(References.MinimumLogLevel, verbose ? "Info" : "None"),
      // What cannot start says why in one line, not in a trace.
      Effect.catchIf(
        (error) => error._tag !== "Failed",
        (error) => Effect.andThen(Console.error(error.message), Effect.fail(new Failed()))
      )
    )
  })
).pipe(Command.withDescription("Five services of a university exchange events, some of which fail"))

runMain(demo.pipe(Command.run({ version: "0.1.0" }), Effect.provide(NodeServices.layer)))
