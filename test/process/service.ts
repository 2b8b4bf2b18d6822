/** A service as a process: subscribes, does what the orders say, and writes a line for each step. */
import { Cause, Duration, Effect, Layer, Logger, References, Schedule } from "effect"
import { AmqpBroker } from "../../src/amqp/index.ts"
import { Broker, inFlight } from "../../src/bus/port/Broker.ts"
import { EventBus, Reject, runMain, Subscriber } from "../../src/index.ts"
import * as MemoryCache from "../../src/memory/MemoryCache.ts"
import { echoOf, type Line, type Order, orderOf, type ServiceOptions } from "./Orders.ts"
import { fromCallback } from "../support/CallbackSend.ts"

// Written by the test that started it.
const options = JSON.parse(process.argv[2] ?? "{}") as ServiceOptions
const {
  claims,
  concurrency,
  deadline,
  dieAtConfirm,
  drain,
  event,
  heartbeat,
  namespace,
  once,
  ordering,
  prefetch,
  publishing
} = options
const { retry = 200, subscribers = [], together = false, url, waitForBroker = false, watch = false } = options

const write = (line: Omit<Line, "at">): void => {
  // A pipe is written synchronously: no line is lost with the process.
  process.stdout.write(`${JSON.stringify({ ...line, at: Number(process.hrtime.bigint()) / 1e6 })}\n`)
}
const die = (): void => {
  process.kill(process.pid, "SIGKILL")
}

const Orders = orderOf(event)
const Echo = echoOf(event)

const spin = (millis: number): void => {
  for (const end = performance.now() + millis; performance.now() < end;);
}

// Listened for from the start: a test may send them as soon as it has read a line.
const signal = (name: NodeJS.Signals): Promise<unknown> => new Promise((resolve) => process.once(name, resolve))
const [onRelease, onEnd] = [signal("SIGUSR2"), signal("SIGTERM")]
const released = Effect.promise(() => onRelease)
const asked = Effect.asVoid(Effect.promise(() => onEnd))

const handle = Effect.fnUntraced(function* ({ act, ms, n }: Order, first: boolean) {
  if (act === "publish-at-end") yield* asked
  if (ms > 0 && act !== "spin" && act !== "deaf" && act !== "slow-once") yield* Effect.sleep(ms)
  switch (act) {
    case "work":
    case "die":
      return
    case "linger":
      return yield* asked
    case "hang":
      return yield* Effect.never
    case "deaf":
      return yield* Effect.uninterruptible(Effect.sleep(ms))
    case "spin":
      return first ? spin(ms) : undefined
    case "slow-once":
      return first ? yield* Effect.sleep(ms) : undefined
    case "fail":
      return first ? yield* Effect.fail("as ordered") : undefined
    case "reject":
      if (ms === 0) yield* released
      return yield* new Reject({ reason: "as ordered" })
    case "publish":
    case "publish-at-end":
      return yield* publish(n)
    case "abort":
      return process.abort()
    case "exit":
      return process.exit(1)
  }
})

const publish = (n: number) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    yield* bus.publish(Echo, { n })
  }).pipe(
    Effect.tapCause((cause) =>
      Effect.sync(() => {
        const error: unknown = Cause.squash(cause)
        const reason = error instanceof Error && "reason" in error ? error.reason : undefined
        const tag = typeof reason === "object" && reason !== null && "_tag" in reason ? reason._tag : "interrupted"
        write({ type: "published", n, outcome: String(tag) })
      })
    ),
    Effect.tap(Effect.sync(() => write({ type: "published", n, outcome: "Confirmed" })))
  )

const subscriber = (name: string) => ({
  events: [Orders],
  retry: Schedule.spaced(Duration.millis(retry)),
  ...(ordering !== undefined && { ordering }),
  ...(concurrency !== undefined && { concurrency }),
  ...(prefetch !== undefined && { prefetch }),
  ...(deadline !== undefined && { deadline: Duration.millis(deadline) }),
  ...(claims !== undefined && { idempotent: true }),
  handler: ({ data, id }: { readonly data: Order; readonly id: string }, info: Subscriber.DeliveryInfo) => {
    const { attempt, redelivered } = info
    const about = { n: data.n, k: data.k, id, subscriber: name, attempt, redelivered }
    return Effect.suspend(() => {
      write({ type: "started", ...about })
      return handle(data, attempt === 1 && !redelivered)
    }).pipe(
      Effect.tap(
        Effect.sync(() => {
          write({ type: "handled", ...about })
          if (data.act === "die" && !redelivered) die()
        })
      ),
      Effect.onInterrupt(() => Effect.sync(() => write({ type: "interrupted", ...about })))
    )
  }
})

/** The broker with an observer at its port. */
const watched = Layer.effect(
  Broker,
  Effect.map(Broker, (broker) =>
    Broker.of({
      ...broker,
      send: fromCallback((message, done) =>
        broker.send(
          inFlight(message, (outcome) => {
            if (message.to._tag === dieAtConfirm && outcome._tag === "Confirmed") die()
            done(outcome)
          })
        )
      ),
      consume: (consumer) =>
        broker.consume({
          ...consumer,
          onDelivery: (delivery) => {
            const { deliveryCount: count, properties, redelivered } = delivery
            write({ type: "delivered", count, redelivered, ...(properties.messageId && { id: properties.messageId }) })
            consumer.onDelivery(delivery)
          }
        })
    })
  )
).pipe(Layer.provide(AmqpBroker.layer({ servers: url, namespace, source: "process" })))

const settings = { source: "process", drainTimeout: Duration.millis(drain) }
const Bus =
  watch || dieAtConfirm !== undefined
    ? EventBus.layerWith(settings).pipe(Layer.provide(Layer.merge(watched, MemoryCache.layer)))
    : EventBus.layerAmqp({
        ...settings,
        url,
        namespace,
        waitForBroker,
        // A busy machine must not make it handle an event without its claim.
        ...(claims !== undefined && { redisUrl: claims, redisTimeout: "10 seconds" }),
        ...(heartbeat !== undefined && { heartbeat: Duration.seconds(heartbeat) })
      })

const Subscribers = together
  ? Layer.effectDiscard(
      Effect.gen(function* () {
        const bus = yield* EventBus
        for (const name of subscribers) yield* bus.subscribe(name, subscriber(name))
      })
    )
  : subscribers.reduce<ReturnType<typeof one>>((layers, name) => Layer.merge(layers, one(name)), Layer.empty)
function one(name: string) {
  return Subscriber.layer(name, subscriber(name))
}

const Publishing = Layer.effectDiscard(
  Effect.gen(function* () {
    write({ type: "ready" })
    if (once !== undefined) {
      const bus = yield* EventBus
      yield* bus.publish(Orders, once.order, { id: once.id })
      write({ type: "published", n: once.order.n, id: once.id, outcome: "Confirmed" })
    }
    if (publishing !== undefined) {
      const bus = yield* EventBus
      const looking = Effect.andThen(released, bus.tree)
      yield* Effect.forkScoped(Effect.map(looking, (tree) => write({ type: "looked", fields: { ...tree.publishing } })))
    }
    let n = 0
    for (let lane = 0; lane < (publishing ?? 0); lane++) {
      yield* Effect.forkScoped(
        Effect.forever(Effect.andThen(Effect.sleep("5 millis"), Effect.ignoreCause(Effect.suspend(() => publish(n++)))))
      )
    }
  })
)

const Logs = Layer.merge(
  Logger.layer([
    Logger.make(({ fiber, logLevel, message }) => {
      const fields = fiber.getRef(References.CurrentLogAnnotations)
      write({ type: "log", level: logLevel, message: String(message), fields })
    })
  ]),
  Layer.succeed(References.MinimumLogLevel, "Info" as const)
)

runMain(Publishing.pipe(Layer.provide(Subscribers), Layer.provide(Bus), Layer.provide(Logs)))
// From here on it handles signals.
write({ type: "begun" })
