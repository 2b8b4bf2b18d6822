/**
 * The write buffer of the Redis cache without Redis: compared with a model through writes, batches, refusals and losses;
 * which entries are needed, and the commands of a batch.
 */
import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { compare, newestFirst } from "../../../src/bus/port/CacheOrder.ts"
import type { CacheEntry } from "../../../src/bus/port/CacheStore.ts"
import { PendingWrite } from "../../../src/redis/cache/PendingWrite.ts"
import { WriteBuffer } from "../../../src/redis/cache/WriteBuffer.ts"
import { plan } from "../../../src/redis/cache/WritePlan.ts"
import { needed } from "../../../src/redis/cache/Coalesce.ts"
import * as Keys from "../../../src/redis/connection/Keys.ts"
import * as Scripts from "../../../src/redis/connection/Scripts.ts"

const keys = Keys.make("test")
const lastKey = ({ event, key }: Pick<CacheEntry, "event" | "key">): string => keys.last(event, key)
const now = 1_000_000
const entry = (number: number, more: Partial<CacheEntry> = {}): CacheEntry => ({
  event: "a.b",
  key: "k",
  id: `id-${number}`,
  time: now,
  body: Buffer.alloc(10),
  settings: {},
  ...more
})

const Step = Schema.Union([
  Schema.TaggedStruct("Add", {
    key: Schema.Literals(["a", "b"]),
    time: Schema.Literals([0, 1, 2, 9_999_999]),
    bytes: Schema.Literals([0, 100, 700]),
    last: Schema.Boolean
  }),
  Schema.TaggedStruct("Cut", {}),
  Schema.TaggedStruct("Settle", { outcomes: Schema.Array(Schema.Literals(["written", "retry", "later", "refused"])) })
])

it.prop(
  "P13, N28: the buffer agrees with a model: its entries, the newest of each key, its bounds, and its counts",
  { steps: Schema.Array(Step).check(Schema.isMinLength(25), Schema.isMaxLength(60)) },
  ({ steps }) => {
    const [maxEntries, maxBytes, historyLength] = [6, 4_000, 2]
    let reported = 0
    const buffer = new WriteBuffer({ maxEntries, maxBytes, onDropped: (count) => void (reported += count) })
    let inFlight: ReadonlyArray<CacheEntry> = []
    let waiting: Array<CacheEntry> = []
    let behind: Array<CacheEntry> = []
    const counts = { written: 0, superseded: 0, dropped: 0, failures: 0 }
    let arrived = 0
    const timeOf = ({ time }: CacheEntry): number => Math.min(time, now)
    const isNewer = (a: CacheEntry, b: CacheEntry): boolean =>
      timeOf(a) > timeOf(b) || (timeOf(a) === timeOf(b) && a.id > b.id)
    // The slow definition: no newer entry of its key, or among the newest of its history.
    const isNeeded = (one: CacheEntry): boolean => {
      const newer = [...behind, ...waiting].filter((other) => isNewer(other, one))
      return (
        (one.settings.last === true && !newer.some(({ key, settings }) => key === one.key && settings.last === true)) ||
        newer.length < historyLength
      )
    }
    const shrink = (): void => {
      const cost = () => [...behind, ...inFlight, ...waiting].reduce((sum, { body }) => sum + body.length + 256, 0)
      const isFull = () => behind.length + inFlight.length + waiting.length > maxEntries || cost() > maxBytes
      if (isFull() && arrived > 0) {
        const kept = [behind.filter(isNeeded), waiting.filter(isNeeded)] as const
        counts.superseded += behind.length + waiting.length - kept[0].length - kept[1].length
        ;[behind, waiting] = [...kept]
        arrived = 0
      }
      while (isFull()) {
        if ((behind.shift() ?? waiting.shift()) === undefined) return
        counts.dropped++
      }
    }
    for (const [number, step] of steps.entries()) {
      if (step._tag === "Add") {
        const { bytes, key, last, time } = step
        const settings = { last, history: historyLength }
        const next = entry(number, { key, time, id: `id-${number + 100}`, body: Buffer.alloc(bytes), settings })
        buffer.add(next, now, now)
        waiting.push(next)
        arrived++
        shrink()
      } else if (step._tag === "Cut" && inFlight.length === 0) {
        inFlight = [...waiting, ...behind]
        waiting = []
        behind = []
        assert.deepStrictEqual(
          buffer.cut().map(({ entry }) => entry),
          inFlight
        )
      } else if (step._tag === "Settle" && inFlight.length > 0) {
        const outcomeOf = (i: number) => step.outcomes[i] ?? "retry"
        const again = inFlight.filter((_, i) => outcomeOf(i) === "retry")
        const later = inFlight.filter((_, i) => outcomeOf(i) === "later")
        const refused = inFlight.filter((_, i) => outcomeOf(i) === "refused").length
        counts.written += inFlight.length - again.length - later.length - refused
        counts.dropped += refused
        if (again.length + later.length + refused > 0) counts.failures++
        waiting = [...again, ...waiting]
        behind = [...behind, ...later]
        inFlight = []
        assert.strictEqual(buffer.settle(step.outcomes), again.length + later.length === 0)
        if (again.length + later.length > 0) shrink()
      }
      const all = [...behind, ...inFlight, ...waiting]
      assert.deepStrictEqual(
        buffer.all().map(({ entry }) => entry),
        all
      )
      for (const key of ["a", "b"]) {
        // A time far ahead counts as now.
        const newest = all
          .filter((one) => one.key === key && one.settings.last === true)
          .map(({ id, time }) => ({ id, time: Math.min(time, now) }))
          .toSorted(compare)
          .at(-1)
        assert.strictEqual(buffer.newest("a.b", key)?.id, newest?.id)
      }
      assert.deepStrictEqual(buffer.counts(), { ...counts, buffered: all.length })
      assert.strictEqual(reported, counts.dropped)
    }
  },
  { arbitrary: { runs: 300 } }
)

it("N28: while nothing is written the buffer grows with keys and histories, not with events, and has the last event of each key", () => {
  const buffer = new WriteBuffer({ maxEntries: 10_000, maxBytes: 16 * 1024 * 1024, onDropped: () => {} })
  for (let n = 0; n < 100_000; n++) {
    const next = entry(n, { key: `k${n % 50}`, time: now - 100_000 + n })
    buffer.add(next, now, now)
  }
  const { buffered, dropped, superseded } = buffer.counts()
  assert.deepStrictEqual([superseded + buffered, dropped], [100_000, 0])
  assert.isBelow(buffered, 1_000)
  for (let n = 99_950; n < 100_000; n++) assert.strictEqual(buffer.newest("a.b", `k${n % 50}`)?.id, `id-${n}`)
  // So has the history: its hundred, in order.
  assert.deepStrictEqual(
    buffer
      .all()
      .slice(-100)
      .map(({ id }) => id),
    Array.from({ length: 100 }, (_, n) => `id-${99_900 + n}`)
  )
})

it.prop(
  "needless entries change neither the last event of a key nor a history, even when events share ids",
  {
    writes: Schema.Array(
      Schema.Struct({
        event: Schema.Literals(["a.b", "a.c"]),
        key: Schema.Literals(["a", "b"]),
        time: Schema.Literals([0, 1, 2, 3]),
        id: Schema.Literals([1, 2]),
        body: Schema.Literals([10, 11])
      })
    ).check(Schema.isMinLength(8), Schema.isMaxLength(30)),
    history: Schema.Literals([0, 1, 3]),
    perKey: Schema.Boolean,
    last: Schema.Boolean
  },
  ({ history, last, perKey, writes }) => {
    const settings = { history, perKey, last }
    const all = writes.map(({ body, id, ...more }): PendingWrite => {
      return new PendingWrite(entry(id, { ...more, body: Buffer.alloc(body), settings }), now, now)
    })
    const kept = new Set(needed(all))
    const outcome = (entries: ReadonlyArray<PendingWrite>) => {
      const of = (event: string, key?: string) =>
        newestFirst(entries.filter((one) => one.entry.event === event && (key ?? one.entry.key) === one.entry.key)).map(
          ({ body, id, time }) => [time, id, body.length]
        )
      return ["a.b", "a.c"].map((event) => [
        of(event).slice(0, history),
        // Two bodies with one id and time are a mistake; either may be the last.
        ["a", "b"].map((key) => [last && of(event, key)[0]?.slice(0, 2), perKey && of(event, key).slice(0, history)])
      ])
    }
    assert.deepStrictEqual(outcome(all.filter((one) => kept.has(one))), outcome(all))
  },
  { arbitrary: { runs: 500 } }
)

it("D3: entries that are refused for now hold back no other entry, however many they are", () => {
  const buffer = new WriteBuffer({ maxEntries: 10_000, maxBytes: 16 * 1024 * 1024, onDropped: () => {} })
  const refused = (one: PendingWrite): boolean => one.entry.key.startsWith("no")
  for (let n = 0; n < 5_000; n++) {
    const next = entry(n, { key: `no${n}`, settings: { history: 0 } })
    buffer.add(next, now, now)
  }
  // Lost answers make batches small.
  for (let round = 0; round < 30; round++) buffer.settle(buffer.cut().map(() => "retry"))
  assert.strictEqual(buffer.cut().length, 1)
  buffer.settle(["later"])
  const good = entry(9_999, { key: "yes", settings: { history: 0 } })
  buffer.add(good, now, now)
  let batches = 0
  while (buffer.counts().written === 0 && batches < 100) {
    batches++
    buffer.settle(buffer.cut().map((one) => (refused(one) ? "later" : "written")))
  }
  assert.isBelow(batches, 30)
  const next = entry(10_000, { key: "yes", settings: { history: 0 } })
  buffer.add(next, now, now)
  buffer.settle(buffer.cut().map((one) => (refused(one) ? "later" : "written")))
  assert.deepInclude(buffer.counts(), { written: 2, dropped: 0, buffered: 5_000 })
})

it.prop(
  "a batch is one write of the newest event per key, and one append per history of what it can hold",
  {
    writes: Schema.Array(
      Schema.Struct({
        key: Schema.Literals(["a", "b", "c"]),
        time: Schema.Literals([0, 1, 2, 3]),
        id: Schema.Literals([1, 2])
      })
    ).check(Schema.isMinLength(5), Schema.isMaxLength(30)),
    history: Schema.Literals([0, 1, 3, 100]),
    perKey: Schema.Boolean
  },
  ({ history, perKey, writes }) => {
    const buffer = new WriteBuffer({ maxEntries: 1_000, maxBytes: 1_000_000, onDropped: () => {} })
    for (const { id, key, time } of writes) {
      const next = entry(id, { key, time, settings: { history, perKey } })
      buffer.add(next, now, now)
    }
    const { calls, coalesced } = plan(buffer.cut(), { keys, now })
    const lasts = calls.filter(({ script }) => script === Scripts.last)
    const used = [...new Set(writes.map(({ key }) => key))]
    assert.deepStrictEqual(
      lasts.map(({ args, keys: [name] }) => [name, args[0], args[1]]),
      used.map((key) => {
        const newest = writes
          .filter((write) => write.key === key)
          .map(({ id, time }) => ({ time, id: `id-${id}` }))
          .toSorted(compare)
          .at(-1)
        return [lastKey({ event: "a.b", key }), newest?.time, newest?.id]
      })
    )
    assert.strictEqual(coalesced, writes.length - used.length)
    const appends = calls.filter(({ script }) => script === Scripts.append)
    assert.strictEqual(appends.length, writes.length === 0 || history === 0 ? 0 : perKey ? 1 + used.length : 1)
    for (const { args, entries } of appends) {
      assert.strictEqual(args[0], history)
      assert.isAtMost((args.length - 1) / 2, Math.min(history, entries.length))
    }
    // A write is settled when all of its calls are.
    assert.strictEqual(new Set(calls.flatMap(({ entries }) => entries)).size, writes.length)
  },
  { arbitrary: { runs: 200 } }
)
