import { Effect, Layer, Schedule, Schema, Exit, Cause } from "effect"
import { DeadLetters, Event, EventBus, eventBusLive, Subscriber, EventCache, Health } from "./src/index.ts"
import { startRabbit } from "./test/support/RabbitNode.ts"
const node = await startRabbit()
console.log(node.url)
const Posted = Event.make("academic.grade.posted", { version: 1, data: Schema.Struct({ s: Schema.String, g: Schema.Finite }), key: (d) => d.s })
let n = 0
const S = Subscriber.layer("mailer", {
  events: [Posted], concurrency: 16, prefetch: 250,
  ordering: process.argv[2] === "key" ? "key" : "none",
  retry: Schedule.spaced("1500 millis").pipe(Schedule.upTo({ times: 3 })),
  handler: (e, info) => { n++; if (e.data.g < 10) console.log(e.data.g, info.attempt); return e.data.g === 7 ? Effect.fail(new Error("seven")) : Effect.void }
})
const program = Effect.gen(function*() {
  const bus = yield* EventBus
  for (let g = 1; g <= 8; g++) console.log(yield* bus.publish(Posted, { s: "k" + (g % 3), g }))
  console.log(yield* bus.publish(Posted, { s: "d", g: 0 }, { delay: "1 second" }))
  for (let r = 0; r < 3; r++) {
    n = 0
    const t = performance.now(); const c = process.cpuUsage()
    yield* bus.publishAll(Posted, Array.from({ length: 50000 }, (_, i) => ({ s: "k" + i % 100, g: 100 + i })))
    const t2 = performance.now()
    while (n < 50000) yield* Effect.sleep(1)
    const u = process.cpuUsage(c)
    console.log("publish us", (t2 - t) / 50, "all", (performance.now() - t) / 50, "cpu", (u.user + u.system) / 5e4)
  }
  yield* Effect.sleep("7 seconds")
  console.log((yield* (yield* bus.subscriptions)[0]!.stats))
  const dl = yield* DeadLetters
  console.log(yield* dl.count("mailer"), (yield* dl.list("mailer")).map((l) => [l.eventId, l.reason, l.attempts, l.error.message]))
  console.log(yield* dl.replay("mailer"))
  yield* Effect.sleep("6 seconds")
  console.log(yield* dl.count("mailer"), (yield* dl.list("mailer")).map((l) => [l.eventId, l.reason, l.attempts, l.replays, l.failures.length]))
  console.log(JSON.stringify(yield* (yield* Health).report))
}).pipe(Effect.scoped, Effect.provide(S.pipe(Layer.provideMerge(eventBusLive({ url: node.url, source: "smoke" })))))
const t0 = performance.now()
console.log(await Effect.runPromiseExit(program))
for (const url of ["amqp://127.0.0.1:1", node.url.replace("guest:guest", "guest:wrong"), node.url + "/nope", "amqp://u:p#x@h", "amqp://10.1.1.1", node.url.replace("amqp", "amqps")]) {
  const t = performance.now()
  const exit = await Effect.runPromiseExit(Effect.gen(function*() { yield* EventBus }).pipe(Effect.provide(eventBusLive({ url, connectTimeout: "2 seconds" }))))
  console.log(Math.round(performance.now() - t), Exit.isFailure(exit) ? Cause.squash(exit.cause).message : "ok")
}
await node.stop()
