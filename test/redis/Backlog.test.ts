/**
 * The buffer of the Redis store without Redis: against a model, whatever is written, sent, taken, refused
 * or lost; what of it is needed, and what a batch makes of it.
 */
import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { type CacheEntry, compare, newestFirst } from "../../src/bus/CacheStore.ts"
import * as Backlog from "../../src/redis/Backlog.ts"
import { plan } from "../../src/redis/Batch.ts"
import { needed } from "../../src/redis/Coalesce.ts"
import * as Keys from "../../src/redis/Keys.ts"
import * as Scripts from "../../src/redis/Scripts.ts"

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
  Schema.TaggedStruct("Settle", { fates: Schema.Array(Schema.Literals(["written", "retry", "later", "refused"])) })
])

it.prop(
  "P13, N28: the buffer agrees with a list: what is in it, the newest of each key, its bounds, and its counts",
  { steps: Schema.Array(Step).check(Schema.isMinLength(25), Schema.isMaxLength(60)) },
  ({ steps }) => {
    const [maxEntries, maxBytes, historyLength] = [6, 4_000, 2]
    let told = 0
    const backlog = Backlog.make(maxEntries, maxBytes, (count) => (told += count))
    let flight: ReadonlyArray<CacheEntry> = []
    let waiting: Array<CacheEntry> = []
    let behind: Array<CacheEntry> = []
    const counts = { written: 0, superseded: 0, dropped: 0, failures: 0 }
    let arrived = 0
    const timeOf = ({ time }: CacheEntry): number => Math.min(time, now)
    const isNewer = (a: CacheEntry, b: CacheEntry): boolean =>
      timeOf(a) > timeOf(b) || (timeOf(a) === timeOf(b) && a.id > b.id)
    // Said once more and without a care for time: who has no newer one, or is among the newest of its history.
    const isNeeded = (one: CacheEntry): boolean => {
      const newer = [...behind, ...waiting].filter((other) => isNewer(other, one))
      return (
        (one.settings.last === true && !newer.some(({ key, settings }) => key === one.key && settings.last === true)) ||
        newer.length < historyLength
      )
    }
    const shrink = (): void => {
      const cost = () => [...behind, ...flight, ...waiting].reduce((sum, { body }) => sum + body.length + 256, 0)
      const isFull = () => behind.length + flight.length + waiting.length > maxEntries || cost() > maxBytes
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
        backlog.add(next, now)
        waiting.push(next)
        arrived++
        shrink()
      } else if (step._tag === "Cut" && flight.length === 0) {
        flight = [...waiting, ...behind]
        waiting = []
        behind = []
        assert.deepStrictEqual(
          backlog.cut().map(({ entry }) => entry),
          flight
        )
      } else if (step._tag === "Settle" && flight.length > 0) {
        const fateOf = (i: number) => step.fates[i] ?? "retry"
        const again = flight.filter((_, i) => fateOf(i) === "retry")
        const later = flight.filter((_, i) => fateOf(i) === "later")
        const refused = flight.filter((_, i) => fateOf(i) === "refused").length
        counts.written += flight.length - again.length - later.length - refused
        counts.dropped += refused
        if (again.length + later.length + refused > 0) counts.failures++
        waiting = [...again, ...waiting]
        behind = [...behind, ...later]
        flight = []
        assert.strictEqual(backlog.settle(step.fates), again.length + later.length === 0)
        if (again.length + later.length > 0) shrink()
      }
      const all = [...behind, ...flight, ...waiting]
      assert.deepStrictEqual(
        backlog.all().map(({ entry }) => entry),
        all
      )
      for (const key of ["a", "b"]) {
        // A time far ahead counts as now.
        const newest = all
          .filter((one) => one.key === key && one.settings.last === true)
          .map(({ id, time }) => ({ id, time: Math.min(time, now) }))
          .toSorted(compare)
          .at(-1)
        assert.strictEqual(backlog.newest("a.b", key)?.id, newest?.id)
      }
      assert.deepStrictEqual(backlog.counts(), { ...counts, buffered: all.length })
      assert.strictEqual(told, counts.dropped)
    }
  },
  { arbitrary: { runs: 300 } }
)

it("N28: what is held while nothing is taken grows with keys and histories, not with events; each key's last is there", () => {
  const backlog = Backlog.make(10_000, 16 * 1024 * 1024, () => {})
  for (let n = 0; n < 100_000; n++) {
    const next = entry(n, { key: `k${n % 50}`, time: now - 100_000 + n })
    backlog.add(next, now)
  }
  const { buffered, dropped, superseded } = backlog.counts()
  assert.deepStrictEqual([superseded + buffered, dropped], [100_000, 0])
  assert.isBelow(buffered, 1_000)
  for (let n = 99_950; n < 100_000; n++) assert.strictEqual(backlog.newest("a.b", `k${n % 50}`)?.id, `id-${n}`)
  // The history as well: its hundred, in order.
  assert.deepStrictEqual(
    backlog
      .all()
      .slice(-100)
      .map(({ id }) => id),
    Array.from({ length: 100 }, (_, n) => `id-${99_900 + n}`)
  )
})

it.prop(
  "what is left out as needless changes neither the last of a key nor a history, of events that share ids as well",
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
    const all = writes.map(({ body, id, ...more }): Backlog.Buffered => {
      return new Backlog.Buffered(entry(id, { ...more, body: Buffer.alloc(body), settings }), now)
    })
    const kept = new Set(needed(all))
    const outcome = (entries: ReadonlyArray<Backlog.Buffered>) => {
      const of = (event: string, key?: string) =>
        newestFirst(entries.filter((one) => one.entry.event === event && (key ?? one.entry.key) === one.entry.key)).map(
          ({ body, id, time }) => [time, id, body.length]
        )
      return ["a.b", "a.c"].map((event) => [
        of(event).slice(0, history),
        // Of two bodies with one id and time, which is a mistake, either may be the last.
        ["a", "b"].map((key) => [last && of(event, key)[0]?.slice(0, 2), perKey && of(event, key).slice(0, history)])
      ])
    }
    assert.deepStrictEqual(outcome(all.filter((one) => kept.has(one))), outcome(all))
  },
  { arbitrary: { runs: 500 } }
)

it("D3: who is refused as things are holds back nobody, however many they are", () => {
  const backlog = Backlog.make(10_000, 16 * 1024 * 1024, () => {})
  const refused = (one: Backlog.Buffered): boolean => one.entry.key.startsWith("no")
  for (let n = 0; n < 5_000; n++) {
    const next = entry(n, { key: `no${n}`, settings: { history: 0 } })
    backlog.add(next, now)
  }
  // Silence makes batches small.
  for (let round = 0; round < 30; round++) backlog.settle(backlog.cut().map(() => "retry"))
  assert.strictEqual(backlog.cut().length, 1)
  backlog.settle(["later"])
  const good = entry(9_999, { key: "yes", settings: { history: 0 } })
  backlog.add(good, now)
  let batches = 0
  while (backlog.counts().written === 0 && batches < 100) {
    batches++
    backlog.settle(backlog.cut().map((one) => (refused(one) ? "later" : "written")))
  }
  assert.isBelow(batches, 30)
  const next = entry(10_000, { key: "yes", settings: { history: 0 } })
  backlog.add(next, now)
  backlog.settle(backlog.cut().map((one) => (refused(one) ? "later" : "written")))
  assert.deepInclude(backlog.counts(), { written: 2, dropped: 0, buffered: 5_000 })
})

it.prop(
  "a batch is one write for each key, of the newest, and one append for each history, of what it can hold",
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
    const backlog = Backlog.make(1_000, 1_000_000, () => {})
    for (const { id, key, time } of writes) {
      const next = entry(id, { key, time, settings: { history, perKey } })
      backlog.add(next, now)
    }
    const { calls, coalesced } = plan(backlog.cut(), { keys, now })
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
    // Every write waits for all calls that it is in.
    assert.strictEqual(new Set(calls.flatMap(({ entries }) => entries)).size, writes.length)
  },
  { arbitrary: { runs: 200 } }
)
