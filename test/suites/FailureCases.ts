/** What becomes of an event that is not handled: attempts, retries, verdicts (P5, P7, P9, P10). */
import { assert } from "@effect/vitest"
import { Cause, Duration, Effect, Schedule, Stream } from "effect"
import { Later, Reject } from "../../src/bus/BusError.ts"
import { EventDeadLettered, type BusFailure } from "../../src/bus/Failures.ts"
import { type Bench, fresh, lettersOf, makeLedger, numbered, numbers, sendRaw, shared, start, timerTolerance, until, upTo } from "./Workbench.ts"

class Busy extends Error {
  readonly _tag = "Busy"
}

export const failureCases = ({ connect, it }: Bench): void => {
  it.effect("P10: a failure, a defect, a throw, a timeout and an interruption of itself are failed attempts", () => Effect.gen(function*() {
    const process = yield* shared
    const Happened = numbered()
    const name = fresh()
    const ledger = makeLedger()
    const ends: ReadonlyArray<(attempt: number) => Effect.Effect<unknown, unknown>> = [
      () => Effect.fail(new Busy("failed")),
      () => Effect.die(new RangeError("died")),
      () => {
        throw new TypeError("thrown")
      },
      () => Effect.never,
      () => Effect.interrupt,
      () => Effect.fail("text"),
      () => Effect.fail(undefined),
      () => Effect.uninterruptible(Effect.sleep("150 millis"))
    ]
    const subscription = yield* process.bus.subscribe(name, {
      events: [Happened],
      deadline: "100 millis",
      retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 1 })),
      handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.suspend(() => ends[event.data.n]?.(info.attempt) ?? Effect.void))
    })
    yield* process.bus.publishAll(Happened, numbers(ends.length + 1))
    const letters = yield* lettersOf(process, name, ends.length)
    const told = letters.map((letter) => `${letter.attempts} ${letter.reason} ${letter.error.tag}: ${letter.error.message}`)
    assert.deepStrictEqual(told.toSorted(), [
      "2 Exhausted Busy: failed",
      "2 Exhausted HandlerTimeout: the handler did not end within 100ms",
      "2 Exhausted HandlerTimeout: the handler did not end within 100ms",
      "2 Exhausted Error: the handler interrupted itself",
      "2 Exhausted RangeError: died",
      "2 Exhausted TypeError: thrown",
      "2 Exhausted string: text",
      "2 Exhausted undefined: undefined"
    ].toSorted())
    const stats = yield* subscription.stats
    assert.deepInclude(stats, { handled: 1, retried: ends.length, deadLettered: ends.length, zombies: 0 })
    for (const n of upTo(ends.length)) {
      assert.deepStrictEqual(ledger.entries.filter(({ event }) => event.data.n === n).map(({ info }) => info.attempt), [1, 2], `end ${n}`)
    }
  }))

  it.effect("all that failed at first are handled in the end", () => Effect.gen(function*() {
    const { bus } = yield* shared
    const Happened = numbered()
    const ledger = makeLedger()
    yield* bus.subscribe(fresh(), {
      events: [Happened],
      retry: Schedule.spaced("20 millis"),
      handler: (event, info) => Effect.andThen(ledger.handler(event, info), info.attempt <= event.data.n % 3 ? Effect.fail("not yet") : Effect.void)
    })
    yield* bus.publishAll(Happened, numbers(99))
    yield* ledger.reaches(99 + 33 + 66)
    for (const n of upTo(99)) {
      const attempts = ledger.entries.filter(({ event }) => event.data.n === n).map(({ info }) => info.attempt)
      assert.deepStrictEqual(attempts, upTo((n % 3) + 1).map((i) => i + 1))
    }
  }))

  it.effect("P7: below a second a retry waits in the process, and is never early", () => Effect.gen(function*() {
    const { bus } = yield* shared
    const Happened = numbered()
    const ledger = makeLedger()
    yield* bus.subscribe(fresh(), {
      events: [Happened],
      retry: Schedule.exponential("100 millis"),
      handler: (event, info) => Effect.andThen(ledger.handler(event, info), info.attempt < 4 ? Effect.fail("again") : Effect.void)
    })
    yield* bus.publish(Happened, { n: 0 })
    yield* ledger.reaches(4)
    assert.deepStrictEqual(ledger.attempts(), [1, 2, 3, 4])
    const waits = ledger.entries.slice(1).map(({ at }, i) => at - (ledger.entries[i]?.at ?? 0))
    for (const [i, wait] of waits.entries()) assert.isAtLeast(wait, 100 * 2 ** i - timerTolerance)
    // It did not go through the broker: that would have taken a second each time.
    assert.isTrue(ledger.entries.every(({ info }) => !info.redelivered))
    const [, second, ...others] = ledger.entries.map(({ info }) => info.firstFailure?.getTime())
    assert.isDefined(second)
    assert.deepStrictEqual(others, [second, second])
  }))

  it.effect("P7: from a second up it waits on the broker: several retries over several levels, each with its attempt", () => Effect.gen(function*() {
    const { bus } = yield* shared
    const Happened = numbered()
    const ledger = makeLedger()
    const seconds = [1, 2, 3]
    const subscription = yield* bus.subscribe(fresh(), {
      events: [Happened],
      retry: (error: unknown) => Schedule.spaced(Duration.seconds(typeof error === "number" ? error : 60)),
      handler: (event, info) => Effect.andThen(ledger.handler(event, info), info.attempt <= seconds.length ? Effect.fail(seconds[info.attempt - 1]) : Effect.void)
    })
    const { id } = yield* bus.publish(Happened, { n: 7 }, { headers: { tenant: "t-1" }, key: "k", correlationId: "c" })
    yield* ledger.reaches(4)
    assert.deepStrictEqual(ledger.attempts(), [1, 2, 3, 4])
    for (const [i, wait] of seconds.entries()) {
      const [before, after] = [ledger.entries[i], ledger.entries[i + 1]]
      assert.isAtLeast((after?.at ?? 0) - (before?.at ?? 0), wait * 1000 - timerTolerance)
    }
    const firstFailure = ledger.entries[1]?.info.firstFailure?.getTime() ?? 0
    assert.isAtLeast(firstFailure, (ledger.entries[0]?.at ?? Number.MAX_VALUE) - timerTolerance)
    for (const { event, info } of ledger.entries.slice(1)) {
      assert.strictEqual(info.firstFailure?.getTime(), firstFailure)
      assert.deepStrictEqual(info.headers, { tenant: "t-1" })
      assert.deepInclude(event, { id, key: "k", correlationId: "c", data: { n: 7 } })
    }
    yield* until(() => "the last is not handled", () => Effect.runSync(subscription.stats).handled === 1)
    assert.deepInclude(yield* subscription.stats, { handled: 1, retried: 3, deadLettered: 0, held: 0 })
  }))

  it.effect("P7: a retry on the broker survives its process, and goes to this subscriber alone", () => Effect.gen(function*() {
    const { bus } = yield* shared
    const Happened = numbered()
    const [name, other] = [fresh(), fresh()]
    const [ledger, others] = [makeLedger(), makeLedger()]
    yield* bus.subscribe(other, { events: [Happened], handler: others.handler })
    const first = yield* start(connect())
    yield* first.subscribe(name, {
      events: [Happened],
      retry: Schedule.spaced("2 seconds"),
      handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.fail("down"))
    })
    yield* bus.publish(Happened, { n: 1 })
    yield* ledger.reaches(1)
    yield* first.stop
    yield* bus.subscribe(name, { events: [Happened], handler: ledger.handler })
    yield* ledger.reaches(2)
    assert.deepStrictEqual(ledger.attempts(), [1, 2])
    assert.isAtLeast((ledger.entries[1]?.at ?? 0) - (ledger.entries[0]?.at ?? 0), 2000 - timerTolerance)
    assert.deepStrictEqual(others.attempts(), [1])
  }))

  it.effect("P5: what fails and waits holds nobody else", () => Effect.gen(function*() {
    const { bus } = yield* shared
    const Happened = numbered()
    const ledger = makeLedger()
    yield* bus.subscribe(fresh(), {
      events: [Happened],
      concurrency: 1,
      retry: Schedule.spaced("900 millis"),
      handler: (event, info) => Effect.andThen(ledger.handler(event, info), event.data.n < 5 && info.attempt === 1 ? Effect.fail("wait") : Effect.void)
    })
    yield* bus.publishAll(Happened, numbers(60))
    yield* ledger.reaches(65)
    const lastFirst = ledger.entries.findLastIndex(({ info }) => info.attempt === 1)
    const firstSecond = ledger.entries.findIndex(({ info }) => info.attempt === 2)
    assert.isBelow(lastFirst, firstSecond)
    assert.deepStrictEqual(ledger.entries.slice(60).map(({ event }) => event.data.n).toSorted(), upTo(5))
  }))

  it.effect("in one Cause Reject wins over Later, and Later over the policy", () => Effect.gen(function*() {
    const process = yield* shared
    const Happened = numbered()
    const name = fresh()
    const ledger = makeLedger()
    const reject = Cause.fail(new Reject({ reason: "never" }))
    const later = Cause.fail(Later.in("50 millis"))
    const died = Cause.die(new Error("died"))
    const subscription = yield* process.bus.subscribe(name, {
      events: [Happened],
      retry: Schedule.recurs(0),
      handler: (event, info) =>
        Effect.gen(function*() {
          yield* ledger.handler(event, info)
          if (event.data.n === 0) yield* Effect.failCause(Cause.combine(later, Cause.combine(died, reject)))
          const times = ledger.numbers().filter((n) => n === event.data.n).length
          if (event.data.n === 1 && times < 3) yield* Effect.failCause(Cause.combine(died, later))
        })
    })
    yield* process.bus.publishAll(Happened, numbers(2))
    const [letter] = yield* lettersOf(process, name, 1)
    assert.deepInclude(letter, { reason: "Rejected", attempts: 1 })
    assert.deepInclude(letter?.error, { tag: "Reject", message: "never" })
    yield* ledger.reaches(4)
    assert.deepStrictEqual(ledger.entries.filter(({ event }) => event.data.n === 1).map(({ info }) => info.attempt), [1, 1, 1])
    yield* until(() => "not handled", () => Effect.runSync(subscription.stats).handled === 1)
    assert.deepInclude(yield* subscription.stats, { postponed: 2, retried: 0, deadLettered: 1 })
  }))

  it.effect("Later is no attempt, is counted, and ends when it was too often", () => Effect.gen(function*() {
    const process = yield* shared
    const Happened = numbered()
    const name = fresh()
    const ledger = makeLedger()
    yield* process.bus.subscribe(name, {
      events: [Happened],
      maxPostponed: 2,
      retry: Schedule.recurs(0),
      handler: (event, info) => Effect.andThen(ledger.handler(event, info), Effect.fail(Later.in(event.data.n === 0 ? "20 millis" : "1 second", "not now")))
    })
    yield* process.bus.publishAll(Happened, numbers(2))
    const letters = yield* lettersOf(process, name, 2)
    assert.deepStrictEqual(ledger.attempts(), upTo(6).map(() => 1))
    for (const letter of letters) {
      assert.deepInclude(letter, { reason: "PostponedTooOften", attempts: 0 })
      assert.strictEqual(letter.error.tag, "Later")
    }
    const slow = ledger.entries.filter(({ event }) => event.data.n === 1).map(({ at }) => at)
    for (const i of [0, 1]) assert.isAtLeast((slow[i + 1] ?? 0) - (slow[i] ?? 0), 1000 - timerTolerance)
  }))

  it.effect("P9: what cannot be read is dead-lettered at attempt 1 with its bytes and the path; the next one is handled", () => Effect.gen(function*() {
    const process = yield* shared
    const Happened = numbered()
    const name = fresh()
    const ledger = makeLedger()
    yield* process.bus.subscribe(name, { events: [Happened], handler: ledger.handler })
    const event = (more: object): string =>
      JSON.stringify({ specversion: "1.0", id: "i", source: "s", type: Happened.name, dataschema: `urn:event:${Happened.name}:1`, data: { n: 1 }, ...more })
    const bodies: ReadonlyArray<readonly [string | Buffer, RegExp]> = [
      ["", /empty/],
      ["no JSON", /not JSON/],
      [Buffer.from([0xff, 0xfe, 0x00]), /UTF-8/],
      ["\ufeff{}", /byte order mark/],
      ["[".repeat(5_000), /deeper than 64/],
      [`{"n":1,"__proto__":{"admin":true}}`, /__proto__/],
      [`{"n":1,"\\u005f_proto__":{"admin":true}}`, /__proto__/],
      [JSON.stringify({ n: "x".repeat(1024 * 1024) }), /at most 1048576/],
      [event({ specversion: "2.0" }), /specversion/],
      [event({ data: { n: "seven" } }), /data\.n/],
      [event({ data: {} }), /data\.n/],
      [event({ id: "" }), /id/],
      [event({ dataschema: `urn:event:${Happened.name}:x` }), /dataschema/],
      [event({ dataschema: "urn:event:other:1" }), /dataschema/]
    ]
    for (const [body] of bodies) yield* sendRaw(process.broker, Happened.name, body)
    yield* process.bus.publish(Happened, { n: 1 })
    yield* ledger.reaches(1)
    const letters = yield* lettersOf(process, name, bodies.length)
    assert.strictEqual(letters.length, bodies.length)
    for (const [body, why] of bodies) {
      const letter = letters.find((letter) => letter.body.equals(Buffer.from(body)))
      assert(letter !== undefined, `no dead letter has the bytes of ${String(body).slice(0, 50)}`)
      assert.deepInclude(letter, { reason: "Invalid", attempts: 1, subscriber: name })
      assert.strictEqual(letter.error.tag, "InvalidEvent")
      assert.match(letter.error.message, why)
    }
    assert.deepStrictEqual(ledger.numbers(), [1])
  }))

  it.effect("plain JSON of another program is accepted by its type", () => Effect.gen(function*() {
    const { broker, bus } = yield* shared
    const Happened = numbered()
    const ledger = makeLedger()
    yield* bus.subscribe(fresh(), { events: [Happened], handler: ledger.handler })
    yield* sendRaw(broker, Happened.name, `{"n":5}`, { tenant: "t" }, { messageId: "m-5", appId: "python" })
    yield* ledger.reaches(1)
    const [entry] = ledger.entries
    assert.deepInclude(entry?.event, { id: "m-5", source: "python", type: Happened.name, data: { n: 5 } })
    assert.deepStrictEqual(entry?.info.headers, { tenant: "t" })
  }))

  it.effect("a policy that throws or a Schedule that fails gives up and holds nothing", () => Effect.gen(function*() {
    const process = yield* shared
    const Happened = numbered()
    const [a, b] = [fresh(), fresh()]
    const broken = Schedule.tap(Schedule.spaced("10 millis"), () => Effect.die("schedule"))
    yield* process.bus.subscribe(a, {
      events: [Happened],
      retry: () => {
        throw new Error("policy")
      },
      handler: () => Effect.fail("no")
    })
    yield* process.bus.subscribe(b, {
      events: [Happened],
      retry: broken,
      handler: () => Effect.fail("no")
    })
    yield* process.bus.publish(Happened, { n: 1 })
    for (const name of [a, b]) assert.deepInclude((yield* lettersOf(process, name, 1))[0], { reason: "Exhausted", attempts: 1 })
  }))

  it.effect("bus.failures tells retries and dead letters of this process", () => Effect.gen(function*() {
    const { bus } = yield* shared
    const Happened = numbered()
    const name = fresh()
    const told: Array<BusFailure> = []
    yield* bus.failures.pipe(Stream.runForEach((failure) => Effect.sync(() => void (failure.subscriber === name && told.push(failure)))), Effect.forkScoped({ startImmediately: true }))
    yield* bus.subscribe(name, { events: [Happened], retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 1 })), handler: () => Effect.fail(new Busy("still")) })
    const { id } = yield* bus.publish(Happened, { n: 1 })
    yield* until(() => `${told.length} of 2`, () => told.length >= 2)
    assert.deepInclude(told[0], { _tag: "Retried", event: Happened.name, id, attempt: 1, retryInMillis: 10 })
    assert.deepInclude(told[1], { _tag: "DeadLettered", event: Happened.name, id, attempts: 2, reason: "Exhausted" })
    assert.deepInclude(told[1]?.error, { tag: "Busy", message: "still" })
  }))

  it.effect("other processes hear of dead letters: at most ten a second each, then their number; none about bus.*", () => Effect.gen(function*() {
    const { bus } = yield* shared
    const process = yield* start(connect())
    const Happened = numbered()
    const [name, silent, watcher] = [fresh(), fresh(), fresh()]
    const heard: Array<{ readonly subscriber: string; readonly count: number; readonly eventId?: string; readonly reason?: string }> = []
    let aboutOwn = 0
    yield* process.subscribe(watcher, {
      events: [EventDeadLettered],
      retry: Schedule.recurs(0),
      announce: true,
      handler: ({ data }) =>
        Effect.gen(function*() {
          if (data.subscriber === watcher) aboutOwn++
          if (data.subscriber !== name && data.subscriber !== silent) return
          heard.push(data)
          yield* new Reject({ reason: "each of them is a dead letter too" })
        })
    })
    yield* bus.subscribe(silent, { events: [Happened], announce: false, handler: () => Effect.fail(new Reject({ reason: "silent" })) })
    yield* bus.subscribe(name, { events: [Happened], handler: () => Effect.fail(new Reject({ reason: "no" })) })
    const { id } = yield* bus.publish(Happened, { n: 0 })
    yield* until(() => "nothing heard", () => heard.length === 1)
    assert.deepInclude(heard[0], { subscriber: name, count: 1, eventId: id, reason: "Rejected" })
    yield* bus.publishAll(Happened, numbers(200, 1))
    yield* until(() => `${heard.length} announcements`, () => heard.reduce((sum, { count }) => sum + count, 0) >= 201)
    assert.strictEqual(heard.reduce((sum, { count }) => sum + count, 0), 201)
    assert.isBelow(heard.length, 100)
    assert.isTrue(heard.some(({ count, eventId }) => count > 1 && eventId === undefined))
    assert.isTrue(heard.every(({ subscriber }) => subscriber === name))
    yield* lettersOf(process, watcher, heard.length)
    assert.strictEqual(aboutOwn, 0)
  }))
}
