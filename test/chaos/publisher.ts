/**
 * A service that publishes the steps of its keys, each key in order, with some poison among them. Its journal
 * has each intent before the publish and each outcome after it, so the next life goes on where this one ended.
 */
import { Effect, FiberSet, Layer } from "effect"
import { Redis } from "ioredis"
import { EventBus, isPublishError, runMain } from "../../src/index.ts"
import * as Bugs from "./Bugs.ts"
import { fromSeed } from "../support/RandomSource.ts"
import { busOptions, openHarness, reportHealth } from "./ProcessHarness.ts"
import { foreign, isForeign, isPoison, type Kind, nameOf, poisons, Step, Tick } from "./Events.ts"
import type { PublisherOptions } from "./ProcessOptions.ts"
import { foreignPublisher, messageOf } from "./ForeignPublisher.ts"
import { now, past } from "./Journal.ts"

// The run that started this process wrote it.
const options = JSON.parse(process.argv[2] ?? "{}") as PublisherOptions
const { bug, count = Number.POSITIVE_INFINITY, first = [], keys, name, outbox, work } = options

/** The journal of its earlier lives. */
const history = past(options.journal)
const harness = openHarness(options)
const { write } = harness
Bugs.install(options)

interface Intent {
  readonly id: string
  /** Its name in the journal. */
  readonly event: string
  readonly step: Step
}
const lives = history.filter(({ t }) => t === "life").length
const random = fromSeed(options.seed).fork(`${name}/${lives}`)
const next = new Map<string, number>(keys.map((key) => [key, 0]))
const open = new Map<string, Intent>()
let made = 0
let terminated = false
for (const entry of history) {
  if (entry.t === "intent") {
    made++
    next.set(entry.key, entry.seq + 1)
    const { id: event, key, kind, ms = 0, pad = 0, seq } = entry
    // Published again it is the same event, to the last byte of its data.
    const step = { key, seq, kind, ms, pad: "x".repeat(pad) }
    open.set(event, { id: `e-${made}`, event, step })
  }
  if (entry.t === "outcome") open.delete(entry.id)
}

/** Of `redis+sentinel://host:port,host:port/name`. */
const watched = /^redis\+sentinel:\/\/(.*)\/(.*)$/.exec(options.redisUrl)
const [, hosts = "", master = ""] = watched ?? []
const sentinels = hosts.split(",").map((host) => ({ host: "127.0.0.1", port: Number(host.split(":")[1]) }))
const marks = new Redis(watched === null ? options.redisUrl : "", {
  ...(watched !== null && { sentinels, name: master }),
  lazyConnect: true,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  commandTimeout: 200
})
marks.on("error", () => {})
const markOf = (id: string): string => `${options.namespace}-outbox:${id}`
const mark = (id: string): Promise<unknown> => marks.set(markOf(id), "1", "EX", 600).catch(() => undefined)
const isMarked = (id: string): Promise<boolean> =>
  marks.exists(markOf(id)).then(
    (n) => n === 1,
    () => false
  )

const raw = foreignPublisher(options.url, `${options.namespace}.events`, 20_000)

const share = (): Kind => {
  const point = random.next()
  const { flaky, old, poison } = options
  if (point < poison) return random.pick(poisons)
  if (point < poison + flaky) return "flaky"
  if (point < poison + flaky + old) return "old"
  return point < poison + flaky + old + options.foreign ? random.pick(foreign) : "plain"
}
const millis = (): number => {
  const { works } = options
  return works === undefined ? random.below(work + 1) : (works[made] ?? works.at(-1) ?? 0)
}
const intend = (key: string): Intent => {
  const seq = next.get(key) ?? 0
  next.set(key, seq + 1)
  const kind = first[made] ?? share()
  const pad = random.next() < options.big ? 256 * 1024 : random.below(4000)
  // Events that are sent by hand are small.
  const step = { key, seq, kind, ms: millis(), pad: isForeign(kind) ? "" : "x".repeat(pad) }
  made++
  const id = `e-${made}`
  return { id, event: nameOf(name, id), step }
}

const send = Effect.fnUntraced(function* ({ event, id, step }: Intent) {
  if (isForeign(step.kind)) {
    const message = messageOf(name, id, step)
    if (isPoison(step.kind)) harness.recordSent(event, message.body)
    return yield* Effect.promise(() => raw.send(message))
  }
  if (isPoison(step.kind)) harness.watch(id, event)
  const bus = yield* EventBus
  return yield* bus.publish(Step, step, { id }).pipe(
    Effect.as("Confirmed"),
    Effect.catch((error) =>
      Effect.succeed(isPublishError(error) ? `${error.reason._tag}: ${error.reason.message}` : String(error))
    )
  )
})

const attempt = Effect.fnUntraced(function* (intent: Intent) {
  const { event: id } = intent
  if (bug === "key-before-confirm") yield* Effect.promise(() => mark(id))
  harness.reach("before-send")
  const started = now()
  // One macrotask later it is sent, and its confirm has not arrived.
  setImmediate(() => harness.reach("in-flight"))
  const sent = yield* send(intent)
  const answer = bug === "denied-is-confirmed" && isDenied(sent) ? "Confirmed" : sent
  // Without the outbox record in Redis below, which waits 200 ms when Redis is frozen.
  const ms = now() - started
  if (answer === "Confirmed") harness.reach("after-confirm")
  if (outbox && answer === "Confirmed") yield* Effect.promise(() => mark(id))
  const [outcome = answer, detail] = answer.split(": ", 2)
  write({ t: "outcome", id, outcome, ms, ...(detail !== undefined && { detail }) })
  return outcome
})

const isDenied = (answer: string): boolean => answer.startsWith("Denied") || answer.includes("permission")

/** Publishes until it is confirmed or cannot be; always with the same id. */
const publish = Effect.fnUntraced(function* (intent: Intent) {
  for (let round = 0; round < 5; round++) {
    if (round > 0) write({ t: "again", id: intent.event })
    const outcome = yield* attempt(intent)
    if (outcome === "Confirmed" || outcome === "Invalid" || outcome === "Denied" || terminated) return
    yield* Effect.sleep("100 millis")
  }
})

const again = Effect.fnUntraced(function* (intent: Intent) {
  const known = yield* Effect.promise(() => isMarked(intent.event))
  if (known) write({ t: "outcome", id: intent.event, outcome: "Known", ms: 0 })
  else {
    write({ t: "again", id: intent.event })
    yield* publish(intent)
  }
})

const Publishing = Layer.effectDiscard(
  Effect.gen(function* () {
    yield* Effect.promise(() => marks.connect().catch(() => undefined))
    write({ t: "ready" })
    // By key in order, before anything newer of the key.
    if (outbox) yield* Effect.forEach(open.values(), again)
    const bus = yield* EventBus
    const sending = yield* FiberSet.make<void>()
    const busy = new Set<string>()
    let n = history.filter(({ t }) => t === "life").length * 1_000_000
    const steps = Effect.gen(function* () {
      const start = now()
      let sent = 0
      while (made < count) {
        // By the clock, not by counting sleeps: on a busy machine a sleep takes longer.
        const due = Math.min(8, Math.floor(((now() - start) * options.rate) / 1000) - sent)
        for (let i = 0; i < due && made < count; i++) {
          sent++
          const free = keys.filter((key) => !busy.has(key))
          if (free.length === 0) continue
          const key = random.pick(free)
          const intent = intend(key)
          busy.add(key)
          const { event, step } = intent
          const { kind, ms, pad, seq } = step
          write({ t: "intent", id: event, key, seq, kind, ms, pad: pad.length })
          yield* FiberSet.run(
            sending,
            Effect.ensuring(
              publish(intent),
              Effect.sync(() => void busy.delete(key))
            )
          )
        }
        yield* Effect.sleep("5 millis")
      }
      yield* FiberSet.awaitEmpty(sending)
      write({ t: "finished" })
    })
    const ticks = Effect.forever(
      Effect.andThen(
        Effect.suspend(() => Effect.ignore(bus.publish(Tick, { n: ++n }, { id: `${name}-tick-${n}` }))),
        Effect.sleep("250 millis")
      )
    )
    const loops = yield* FiberSet.make<void>()
    yield* FiberSet.run(loops, steps)
    if (options.ticks) yield* FiberSet.run(loops, ticks)
    // It stops with nothing in flight: a publish that is cut off would be Unknown without a fault.
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        terminated = true
        yield* FiberSet.clear(loops)
        yield* FiberSet.awaitEmpty(sending)
        yield* Effect.promise(() => raw.close())
        marks.disconnect()
      })
    )
  })
)

runMain(
  Layer.merge(Publishing, reportHealth(harness, options)).pipe(
    Layer.provide(EventBus.layerAmqp(busOptions(options))),
    Layer.provide(harness.log)
  )
)
