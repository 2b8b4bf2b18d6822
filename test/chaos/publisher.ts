/**
 * A service that publishes: the steps of its keys, each key one after the other, with some poison among
 * them. Whatever it intends is written down before, and what it was told afterwards; so a next life goes
 * on where this one ended.
 */
import { Effect, FiberSet, Layer } from "effect"
import { Redis } from "ioredis"
import { EventBus, eventBusLive, isPublishError, runMain } from "../../src/index.ts"
import * as Bugs from "./Bugs.ts"
import { chance } from "./Chance.ts"
import { begin, busOptions } from "./Child.ts"
import { isForeign, isPoison, type Kind, poisons, type PublisherOptions, Step, Tick } from "./Contract.ts"
import { bodyOf, foreignPublisher } from "./ForeignPublisher.ts"
import { now, past } from "./Ledger.ts"

// The controller that started it wrote it.
const options = JSON.parse(process.argv[2] ?? "{}") as PublisherOptions
const { bug, count = Number.POSITIVE_INFINITY, first = [], keys, name, outbox, work } = options

/** What its earlier lives left. */
const history = past(options.ledger)
const child = begin(options)
const { write } = child
Bugs.install(options)

interface Intent {
  readonly id: string
  readonly step: Step
}
const lives = history.filter(({ t }) => t === "life").length
const random = chance(options.seed).fork(`${name}/${lives}`)
const next = new Map<string, number>(keys.map((key) => [key, 0]))
const open = new Map<string, Intent>()
let made = 0
let terminated = false
for (const entry of history) {
  if (entry.t === "intent") {
    made++
    next.set(entry.key, entry.seq + 1)
    const { id, key, kind, seq } = entry
    open.set(id, { id, step: { key, seq, kind, ms: 1, pad: "again" } })
  }
  if (entry.t === "outcome") open.delete(entry.id)
}

const marks = new Redis(options.redisUrl, {
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

const foreign = foreignPublisher(options.url, `${options.namespace}.events`, 20_000)

const share = (): Kind => {
  const point = random.next()
  const { flaky, old, poison } = options
  if (point < poison) return random.pick(poisons)
  if (point < poison + flaky) return "flaky"
  return point < poison + flaky + old ? "old" : "plain"
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
  // Foreign ones and what must not be heavy are small.
  const step = { key, seq, kind, ms: millis(), pad: isForeign(kind) ? "" : "x".repeat(pad) }
  made++
  return { id: `${name}-${made}`, step }
}

const send = Effect.fnUntraced(function* ({ id, step }: Intent) {
  if (isForeign(step.kind)) {
    const body = bodyOf(id, step)
    if (isPoison(step.kind)) child.wire(id, body)
    return yield* Effect.promise(() => foreign.send(id, body))
  }
  if (isPoison(step.kind)) child.watch(id)
  const bus = yield* EventBus
  return yield* bus.publish(Step, step, { id }).pipe(
    Effect.as("Confirmed"),
    Effect.catch((error) =>
      Effect.succeed(isPublishError(error) ? `${error.reason._tag}: ${error.reason.message}` : String(error))
    )
  )
})

const attempt = Effect.fnUntraced(function* (intent: Intent) {
  const { id } = intent
  if (bug === "key-before-confirm") yield* Effect.promise(() => mark(id))
  child.reach("before-send")
  const started = now()
  // One macrotask later it is on the wire, and its confirm is not yet here.
  setImmediate(() => child.reach("in-flight"))
  const answer = yield* send(intent)
  // Without the harness' own mark in Redis, which waits 200 ms where Redis is frozen.
  const ms = now() - started
  if (answer === "Confirmed") child.reach("after-confirm")
  if (outbox && answer === "Confirmed") yield* Effect.promise(() => mark(id))
  const [outcome = answer, detail] = answer.split(": ", 2)
  write({ t: "outcome", id, outcome, ms, ...(detail !== undefined && { detail }) })
  return outcome
})

/** Until it is confirmed, or there is no sense in it; always with the same id. */
const publish = Effect.fnUntraced(function* (intent: Intent) {
  for (let round = 0; round < 5; round++) {
    const outcome = yield* attempt(intent)
    if (outcome === "Confirmed" || outcome === "Invalid" || outcome === "Denied" || terminated) return
    yield* Effect.sleep("100 millis")
  }
})

const again = Effect.fnUntraced(function* (intent: Intent) {
  const known = yield* Effect.promise(() => isMarked(intent.id))
  if (known) write({ t: "outcome", id: intent.id, outcome: "Known", ms: 0 })
  else yield* publish(intent)
})

const Publishing = Layer.effectDiscard(
  Effect.gen(function* () {
    yield* Effect.promise(() => marks.connect().catch(() => undefined))
    write({ t: "ready" })
    // Per key in their order; nothing newer of the key before.
    if (outbox) yield* Effect.forEach(open.values(), again)
    const bus = yield* EventBus
    const sending = yield* FiberSet.make<void>()
    const busy = new Set<string>()
    let n = history.filter(({ t }) => t === "life").length * 1_000_000
    const steps = Effect.gen(function* () {
      const start = now()
      let sent = 0
      while (made < count) {
        // By the clock, not by the sleep: a busy machine sleeps too long.
        const due = Math.min(8, Math.floor(((now() - start) * options.rate) / 1000) - sent)
        for (let i = 0; i < due && made < count; i++) {
          sent++
          const free = keys.filter((key) => !busy.has(key))
          if (free.length === 0) continue
          const key = random.pick(free)
          const intent = intend(key)
          busy.add(key)
          write({ t: "intent", id: intent.id, key, seq: intent.step.seq, kind: intent.step.kind })
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
    // It stops with nothing in flight: whatever is cut off by the end would be Unknown without a reason.
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        terminated = true
        yield* FiberSet.clear(loops)
        yield* FiberSet.awaitEmpty(sending)
        yield* Effect.promise(() => foreign.close())
        marks.disconnect()
      })
    )
  })
)

runMain(Publishing.pipe(Layer.provide(eventBusLive(busOptions(options))), Layer.provide(child.log)))
