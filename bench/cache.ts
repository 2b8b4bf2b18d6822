/**
 * What the cache costs the publisher: `npm run bench:cache`.
 *
 * One process publishes to RabbitMQ, in turns, events of a contract without cache and events of a contract that
 * remembers the last one per key (100 keys) and a history. Turns are interleaved. Each figure is the median over the
 * rounds of the ratio to the turn without cache beside it, so that other load of the machine hits both; p99 is over
 * all events of all rounds. CPU is that of this process, until everything is written. In some turns Redis is killed
 * or frozen after a quarter of the events.
 *
 * Settings: `BENCH_EVENTS` (20,000), `BENCH_ROUNDS` (10), `BENCH_RABBIT_URL` (default: a node of its own),
 * `BENCH_JSON=1` for figures as JSON. The exit code is 1 when a target is missed.
 */
import { Effect, Layer, Logger, Redacted, Schema } from "effect"
import amqplib from "amqplib"
import { AmqpBroker } from "../src/amqp/index.ts"
import { EventBus } from "../src/bus/EventBus.ts"
import { CacheStore } from "../src/bus/port/CacheStore.ts"
import { EventCache } from "../src/bus/read/EventCache.ts"
import * as Event from "../src/event/Event.ts"
import * as RedisCache from "../src/redis/cache/RedisCache.ts"
import { startRabbit } from "../test/support/RabbitNode.ts"
import { type RedisNode, startRedis } from "../test/support/RedisNode.ts"

const events = Number(process.env["BENCH_EVENTS"] ?? 20_000)
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 10)
const keys = 100
const concurrency = 100
const namespace = "benchcache"

const targets = { cpu: 1.15, p99: 1.5 }

const Data = Schema.Struct({ n: Schema.Int, key: Schema.String, title: Schema.String, note: Schema.String })
const options = { version: 1, data: Data, key: ({ key }: typeof Data.Type) => key }
const Plain = Event.make("bench.plain.posted", { ...options, cache: false })
const Cached = Event.make("bench.cached.posted", options)
const note = "a text of some length, as events have one: ".repeat(4)

interface Turn {
  /** Microseconds of CPU for each event. */
  readonly cpu: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Of all events, in order. */
  readonly latencies: Float64Array
  readonly failed: number
}

/** Publishes all events; after a quarter of them it runs `midway`. */
const turn = Effect.fnUntraced(function* (event: typeof Plain | typeof Cached, midway?: () => Promise<void>) {
  const bus = yield* EventBus
  const latencies = new Float64Array(events)
  let failed = 0
  if (process.env["BENCH_TRACE"]) process.stderr.write(`${event.name} ${midway} ${performance.now().toFixed(0)}\n`)
  let disturbed: Promise<void> | undefined
  globalThis.gc?.()
  const before = process.cpuUsage()
  yield* Effect.forEach(
    latencies.keys(),
    (n) =>
      Effect.suspend(() => {
        if (n === Math.floor(events / 4)) disturbed = midway?.()
        const start = performance.now()
        return Effect.exit(bus.publish(event, { n, key: `k${n % keys}`, title: "bench", note })).pipe(
          Effect.map((exit) => {
            latencies[n] = performance.now() - start
            if (exit._tag === "Failure") failed++
          })
        )
      }),
    { concurrency, discard: true }
  )
  if (event === Cached && midway === undefined) yield* written
  const { system, user } = process.cpuUsage(before)
  if (disturbed !== undefined) yield* Effect.promise(async () => disturbed)
  latencies.sort()
  const at = (part: number): number => latencies[Math.floor(events * part)] ?? Number.NaN
  return { cpu: (user + system) / events, p50: at(0.5), p99: at(0.99), latencies, failed } satisfies Turn
})

let store: RedisCache.RedisCacheStore | undefined
const written = Effect.suspend(() =>
  Effect.sleep(10).pipe(Effect.repeat({ until: () => store?.stats().buffered === 0 }), Effect.asVoid)
)

/** How often Redis ran each command so far. */
const commands = async (redis: RedisNode): Promise<ReadonlyMap<string, number>> =>
  new Map(
    [...(await redis.cli("INFO", "commandstats")).matchAll(/cmdstat_(\S+?):calls=(\d+)/g)].map(([, name, calls]) => [
      name ?? "",
      Number(calls)
    ])
  )

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const measure = Effect.fnUntraced(function* (redis: RedisNode) {
  const cache = yield* EventCache
  // Warm-up: code is compiled, connections are open.
  for (let n = 0; n < 3; n++) for (const event of [Plain, Cached]) yield* turn(event)

  const without: Array<Turn> = []
  const pairs = { up: Array<[Turn, Turn]>(), killed: Array<[Turn, Turn]>(), frozen: Array<[Turn, Turn]>() }
  const pair = Effect.fnUntraced(function* (first: boolean, midway?: () => Promise<void>) {
    // The order alternates, since each turn leaves its garbage to the next one.
    const disturbed = first ? yield* turn(Cached, midway) : undefined
    const plain = yield* turn(Plain)
    without.push(plain)
    return [plain, disturbed ?? (yield* turn(Cached, midway))] satisfies [Turn, Turn]
  })
  let sent = 0
  let evalsha = 0
  let inside = 0
  for (let round = 0; round < rounds; round++) {
    const [a, b] = [yield* Effect.promise(() => commands(redis)), store?.stats().commands ?? 0]
    pairs.up.push(yield* pair(round % 2 === 0))
    const after = yield* Effect.promise(() => commands(redis))
    const more = (name: string): number => (after.get(name) ?? 0) - (a.get(name) ?? 0)
    sent += (store?.stats().commands ?? 0) - b
    evalsha += more("evalsha")
    inside += more("set") + more("zadd")
    // The last event of each key: the events of one turn are in order of their number.
    const last = yield* cache.lastMany(
      Cached,
      Array.from({ length: keys }, (_, n) => `k${n}`)
    )
    for (let n = 0; n < keys; n++) {
      const found = last.get(`k${n}`)?.data.n
      if (found === undefined || found < events - keys - concurrency || found % keys !== n)
        throw new Error(`the last event of k${n} is ${found}`)
    }
    pairs.killed.push(yield* pair(round % 2 === 0, () => redis.kill()))
    yield* Effect.promise(() => redis.restart())
    yield* written
    pairs.frozen.push(yield* pair(round % 2 === 0, () => redis.suspend()))
    yield* Effect.promise(() => redis.resume())
    yield* written
  }
  // Over two rounds, in which each kind was first once: the second one pays for the garbage of the first.
  const cpuRatio = (kind: keyof typeof pairs): number =>
    median(
      pairs[kind].flatMap(([plain, cached], i) => {
        const next = pairs[kind][i + 1]
        return next === undefined || i % 2 === 1 ? [] : [(cached.cpu + next[1].cpu) / (plain.cpu + next[0].cpu)]
      })
    )
  // Over the events of all rounds: in one turn it would be two or three pauses of the garbage collector.
  const p99Of = (turns: ReadonlyArray<Turn>): number => {
    const all = Float64Array.from(turns.flatMap(({ latencies }) => Array.from(latencies))).sort()
    return all[Math.floor(all.length * 0.99)] ?? Number.NaN
  }
  const p99Ratio = (kind: keyof typeof pairs): number =>
    p99Of(pairs[kind].map(([, cached]) => cached)) / p99Of(pairs[kind].map(([plain]) => plain))
  const figure = (turns: ReadonlyArray<Turn>, name: "cpu" | "p50"): number => median(turns.map((one) => one[name]))
  const of = (kind: keyof typeof pairs) => {
    const turns = pairs[kind].map(([, cached]) => cached)
    return {
      cpu: figure(turns, "cpu"),
      p50: figure(turns, "p50"),
      p99: p99Of(turns),
      cpuRatio: cpuRatio(kind),
      p99Ratio: p99Ratio(kind),
      failed: turns.reduce((sum, { failed }) => sum + failed, 0)
    }
  }
  return {
    events,
    rounds,
    without: { cpu: figure(without, "cpu"), p50: figure(without, "p50"), p99: p99Of(without) },
    up: of("up"),
    killed: of("killed"),
    frozen: of("frozen"),
    perRound: { sent: sent / rounds, evalsha: evalsha / rounds, writesInScripts: inside / rounds },
    dropped: store?.stats().dropped ?? 0
  }
})

type Figures = Effect.Success<ReturnType<typeof measure>>

const report = ({ dropped, killed, frozen, perRound, up, without }: Figures): boolean => {
  const line = (name: string, one: Partial<Figures["up"]>): string =>
    [
      name.padEnd(16),
      `${one.cpu?.toFixed(1)} µs`.padStart(10),
      one.cpuRatio === undefined ? "" : `${one.cpuRatio.toFixed(2)}x`,
      `${one.p50?.toFixed(2)} ms`.padStart(11),
      `${one.p99?.toFixed(2)} ms`.padStart(11),
      one.p99Ratio === undefined ? "" : `${one.p99Ratio.toFixed(2)}x`,
      one.failed === undefined ? "" : `${one.failed} failed`
    ].join("  ")
  const checks: ReadonlyArray<readonly [string, boolean]> = [
    [`CPU with Redis up at most ${targets.cpu}x`, up.cpuRatio <= targets.cpu],
    [`p99 with Redis killed at most ${targets.p99}x`, killed.p99Ratio <= targets.p99],
    [`p99 with Redis frozen at most ${targets.p99}x`, frozen.p99Ratio <= targets.p99],
    ["no failed publish", up.failed + killed.failed + frozen.failed === 0]
  ]
  const { evalsha, sent, writesInScripts } = perRound
  process.stdout.write(
    [
      `${events} events a turn over ${keys} keys, ${concurrency} at once, medians of ${rounds} rounds`,
      `${"".padEnd(16)}${"CPU/event".padStart(12)}${"p50".padStart(19)}${"p99".padStart(13)}`,
      line("no cache", without),
      line("Redis up", up),
      line("Redis killed", killed),
      line("Redis frozen", frozen),
      `${events} events were ${sent.toFixed(0)} commands (${evalsha.toFixed(0)} counted by Redis, which made ${writesInScripts.toFixed(0)} writes of them); the last values are right`,
      `${dropped} of ${events * rounds * 3} events were dropped by the buffer while Redis was away`,
      ...checks.map(([what, met]) => `${met ? "met   " : "MISSED"}  ${what}`),
      ""
    ].join("\n")
  )
  return checks.every(([, met]) => met)
}

/** Consumes all events and drops them, so that the broker routes each one and fills no disk. */
const sink = Effect.fnUntraced(function* (url: string) {
  const connection = yield* Effect.acquireRelease(
    Effect.promise(() => amqplib.connect(url)),
    (connection) => Effect.promise(() => connection.close())
  )
  yield* Effect.promise(async () => {
    const channel = await connection.createChannel()
    const { queue } = await channel.assertQueue("", { exclusive: true, maxLength: 100 })
    await channel.bindQueue(queue, `${namespace}.events`, "#")
  })
})

const program = Effect.gen(function* () {
  const given = process.env["BENCH_RABBIT_URL"]
  const rabbit =
    given ??
    (yield* Effect.acquireRelease(
      Effect.promise(() => startRabbit()),
      (node) => Effect.promise(() => node.stop())
    )).url
  const redis = yield* Effect.acquireRelease(
    Effect.promise(() => startRedis()),
    (node) => Effect.promise(() => node.stop())
  )
  const cache = Layer.effect(
    CacheStore,
    Effect.map(RedisCache.make({ url: Redacted.make(redis.url), prefix: namespace }), (made) => {
      store = made
      return made
    })
  )
  const broker = AmqpBroker.layer({ servers: rabbit, namespace, source: "bench" })
  const layer = EventBus.layerWith({ source: "bench" }).pipe(
    Layer.provide(broker),
    Layer.provideMerge(EventCache.layer),
    Layer.provide(cache)
  )
  const figures = yield* Effect.andThen(sinkWhenReady(rabbit), measure(redis)).pipe(Effect.provide(layer))
  if (process.env["BENCH_JSON"] === "1") process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`)
  if (!report(figures)) process.exitCode = 1
}).pipe(Effect.scoped, Effect.provide(Logger.layer([])))

/** The exchange exists once something was published. */
const sinkWhenReady = (url: string) =>
  Effect.andThen(
    Effect.flatMap(EventBus, (bus) => bus.publish(Plain, { n: 0, key: "k", title: "", note: "" })),
    sink(url)
  )

await Effect.runPromise(program)
