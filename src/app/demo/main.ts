/**
 * The demo: five services of a university on one bus. Without settings it runs on the embedded bus; with
 * `EVENTBUS_URL` and `EVENTBUS_REDIS_URL` it runs on RabbitMQ and Redis.
 *
 * It exits with 0 if every event is accounted for, or if a signal drained it; with 1 if an event is missing or could
 * not be published, or if a line of a file was refused.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Runtime from "effect/Runtime"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { config, settings } from "../Config.ts"
import type { LiveOptions } from "../LiveOptions.ts"
import { EventBusLive, layerOperated } from "../Live.ts"
import * as OperationsLive from "../OperationsLive.ts"
import { runMain } from "../runMain.ts"
import * as Telemetry from "../Telemetry.ts"
import * as AcademicService from "./AcademicService.ts"
import * as DemoServer from "./DemoServer.ts"
import * as FilePublisher from "./FilePublisher.ts"
import * as KycService from "./KycService.ts"
import { Ledger } from "./Ledger.ts"
import * as LiveTable from "./LiveTable.ts"
import * as NotificationService from "./NotificationService.ts"
import * as ServiceTools from "./ServiceTools.ts"
import * as SocialService from "./SocialService.ts"
import * as Summary from "./Summary.ts"
import * as TrafficGenerator from "./TrafficGenerator.ts"
import * as UserService from "./UserService.ts"

/** Makes the demo exit with 1. The reason has been printed. */
class Failed extends Data.TaggedError("Failed")<{}> {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false
}

const flags = {
  events: Flag.Int("events").pipe(
    Flag.withDescription("Stop after this many events, not counting those that follow from them, and print a summary"),
    Flag.optional
  ),
  rate: Flag.Int("rate").pipe(Flag.withDescription("Events per second"), Flag.withDefault(100)),
  seed: Flag.Int("seed").pipe(Flag.withDescription("The same seed makes the same events"), Flag.withDefault(7)),
  port: Flag.Int("port").pipe(
    Flag.withDescription("Port of the page, /health and /metrics; 0 takes a free one"),
    Flag.optional
  ),
  host: Flag.String("host").pipe(
    Flag.withDescription("Address to listen on; use 0.0.0.0 in a container"),
    Flag.withDefault("127.0.0.1")
  ),
  from: Flag.String("from").pipe(
    Flag.withDescription("Publish events from an NDJSON file instead of generated ones; - is stdin"),
    Flag.optional
  ),
  verbose: Flag.Boolean("verbose").pipe(Flag.withDescription("Show the logs of the runtime"), Flag.withDefault(false))
}

/** With a broker the environment configures everything; without one the demo needs no settings. */
const bus = Layer.unwrap(
  Effect.gen(function* () {
    if (Option.isSome(yield* Config.option(settings.url.config))) {
      const live: LiveOptions = yield* config
      return Layer.merge(EventBusLive, OperationsLive.layer({ live, patience: 5000 }))
    }
    const redisUrl = yield* settings.redisUrl.config
    return layerOperated({
      source: "eduflow-demo",
      namespace: yield* settings.namespace.config,
      ...(redisUrl !== undefined && { redisUrl })
    })
  })
)

/** Without a collector the logs of the demo stay as they are. */
const telemetry = Layer.unwrap(
  Effect.map(Config.option(Config.String("OTEL_EXPORTER_OTLP_ENDPOINT")), (endpoint) =>
    Option.isSome(endpoint) ? Telemetry.layer({ service: "eduflow-demo" }) : Layer.empty
  )
)

/** Another demo may run: the first port of these that is free, or any. */
const usualPorts = [8080, 8081, 8082, 8083, 8084, 8085]

/** What to try after a first run. */
const next = `
next:
  npm start                                        runs until Ctrl-C, with a live table, and a page in the browser that
                                                   shows the processes, pauses subscribers and replays dead letters
  npm start -- --events 2000 --seed 8              other events
  docker compose --file docker/compose.yaml up --build --wait
                                                   the same on RabbitMQ and Redis, with dashboards and traces
`

const demo = Command.make(
  "demo",
  flags,
  Effect.fnUntraced(function* ({ events, from, host, port, rate, seed, verbose }) {
    const count = Option.getOrUndefined(events)
    const file = Option.getOrUndefined(from)
    if ((count !== undefined && count < 1) || rate < 1) {
      yield* Console.error("--events and --rate must be 1 or more")
      return yield* new Failed()
    }
    const bounded = count !== undefined || file !== undefined
    const ledger = new Ledger({ keepIds: bounded })
    const tools = ServiceTools.make(ledger, seed)
    const services = Layer.mergeAll(
      AcademicService.layer(tools),
      UserService.layer(tools),
      SocialService.layer(tools),
      NotificationService.layer(tools),
      KycService.layer(tools)
    )
    let address = ""
    const listen = (port: number) =>
      DemoServer.layer(ledger, {
        host,
        port,
        readOnly: bounded,
        onListen: (url) => {
          address = url
        }
      })
    const http = Option.match(port, {
      onSome: listen,
      onNone: () =>
        bounded ? listen(0) : usualPorts.reduceRight((rest, port) => Layer.catch(listen(port), () => rest), listen(0))
    })

    yield* Effect.gen(function* () {
      yield* Console.log(
        `the page of the operations at ${address}/, health and metrics at ${address}/health and ${address}/metrics`
      )
      const traffic = Effect.as(TrafficGenerator.run(tools, ledger, { count, rate, seed }), 0)
      if (!bounded) {
        yield* LiveTable.during(ledger, undefined, traffic)
        return
      }
      const work =
        file === undefined
          ? traffic
          : FilePublisher.run(ledger, { file, count, onBadLine: (error) => Console.error(error.message) })
      const [refused, { accounted, text }] = yield* LiveTable.during(
        ledger,
        count,
        Effect.all([work, Summary.waitAndSummarise(ledger)])
      )
      yield* Console.log(text)
      if (accounted && refused === 0) yield* Console.log(next)
      if (refused > 0) yield* Console.error(`${refused} ${refused === 1 ? "line was" : "lines were"} refused`)
      if (!accounted || refused > 0) return yield* new Failed()
    }).pipe(
      Effect.onInterrupt(() => Effect.flatMap(Summary.soFar(ledger), (text) => Console.log(`${text}\n${next}`))),
      Effect.provide(
        Layer.mergeAll(services, http).pipe(
          Layer.provide(Layer.effectDiscard(ServiceTools.recordDeadLetters(ledger))),
          Layer.provideMerge(bus),
          Layer.provideMerge(telemetry)
        )
      ),
      Effect.provideService(References.MinimumLogLevel, verbose ? "Info" : "None"),
      // A failed start prints its reason in one line, not a stack trace.
      Effect.catchIf(
        (error) => error._tag !== "Failed",
        (error) => Effect.andThen(Console.error(error.message), Effect.fail(new Failed()))
      )
    )
  })
).pipe(Command.withDescription("Five services of a university exchange events, some of which fail"))

runMain(demo.pipe(Command.run({ version: "0.1.0" }), Effect.provide(NodeServices.layer)))
