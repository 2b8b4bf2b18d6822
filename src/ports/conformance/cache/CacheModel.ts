/**
 * A model of a cache in plain arrays: it keeps every write, and answers every question by sorting all of them. Stores are
 * compared with it after any writes in any order.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { CacheEntry } from "../../../bus/port/CacheStore.ts"
import type { EventCache } from "../../../bus/read/EventCache.ts"
import * as WireFormat from "../../../event/WireFormat.ts"
import * as Event from "../../../event/Event.ts"
import { assert } from "../Assert.ts"

export const base = Date.UTC(2026, 0, 1)
export const modelKeys = ["", "a", "b"] as const

/** Few values, so that they meet: same times, same ids, the same event twice. */
export const Write = Schema.Struct({
  key: Schema.Literals(modelKeys),
  time: Schema.Literals([0, 1, 2, 3, 4]),
  // The greatest id is the last but one as UTF-16, and the last as bytes; some begin with another one.
  id: Schema.Literals(["a", "a\u0000", "a\u0000b", "aa", "b", "é", "￿", "🎓"])
})
export type Write = typeof Write.Type

/** One question about the past. */
export const Question = Schema.Struct({
  key: Schema.UndefinedOr(Schema.Literals(modelKeys)),
  limit: Schema.Literals([1, 2, 3, 7, 100]),
  before: Schema.UndefinedOr(Schema.Literals([0, 1, 2, 4, 5])),
  after: Schema.UndefinedOr(Schema.Literals([-1, 0, 1, 3, 4]))
})
type Question = typeof Question.Type

const Data = Schema.Struct({ key: Schema.String, time: Schema.Finite })
export const contract = (name: string) =>
  Event.make(name, { version: 1, data: Data, key: ({ key }) => key, cache: { perKey: true } })

/** No two events share one. */
const idOf = ({ id, key }: Pick<Write, "id" | "key">): string => `${key}/${id}`

let made = 0

/** The same write is the same event to the byte, as text or as bytes. */
export const entryOf = (name: string, { key, time, ...write }: Write, settings: CacheEntry["settings"]): CacheEntry => {
  const id = idOf({ key, ...write })
  const head = { id, time: base + time, key, correlationId: undefined, causationId: undefined, actor: undefined }
  const text = WireFormat.encoder(contract(name), "model")(head, { key, time })
  return { event: name, key, id, time: base + time, body: made++ % 2 === 0 ? text : Buffer.from(text), settings }
}

/** Newest first, each once. */
const ordered = (writes: ReadonlyArray<Write>): ReadonlyArray<Write> => {
  const each = new Map(writes.map((write) => [shown(write), write]))
  return [...each.values()].sort(
    (x, y) => y.time - x.time || Buffer.compare(Buffer.from(idOf(y)), Buffer.from(idOf(x)))
  )
}

const past = (writes: ReadonlyArray<Write>, cap: number, { after, before, key }: Question): ReadonlyArray<Write> =>
  ordered(writes.filter((write) => key === undefined || write.key === key))
    .slice(0, cap)
    .filter(({ time }) => (before === undefined || time < before) && (after === undefined || time > after))

const shown = (write: Write): string => `${write.time} ${idOf(write)}`
const shownEvent = ({ id, time }: { readonly id: string; readonly time: Date }): string =>
  `${time.getTime() - base} ${id}`

/** Asks the cache everything, and compares. */
export const agrees = Effect.fnUntraced(function* (
  cache: EventCache["Service"],
  name: string,
  writes: ReadonlyArray<Write>,
  cap: number,
  questions: ReadonlyArray<Question>
) {
  const event = contract(name)
  const many = yield* cache.lastMany(event, modelKeys)
  for (const key of modelKeys) {
    const expected = ordered(writes.filter((write) => write.key === key))[0]
    const last = yield* cache.last(event, key)
    assert.deepStrictEqual(Option.getOrUndefined(Option.map(last, shownEvent)), expected && shown(expected))
    assert.deepStrictEqual(many.get(key), Option.getOrUndefined(last))
    assert.isTrue(Option.isNone(last) || last.value.data.key === key)
  }
  for (const question of questions) {
    const expected = past(writes, cap, question).map(shown)
    const options = {
      ...(question.key !== undefined && { key: question.key }),
      ...(question.before !== undefined && { before: new Date(base + question.before) }),
      ...(question.after !== undefined && { after: new Date(base + question.after) })
    }
    const array = yield* cache.history(event, { ...options, limit: question.limit })
    assert.deepStrictEqual(array.map(shownEvent), expected.slice(0, question.limit), JSON.stringify(question))
    const pages = yield* Stream.runCollect(cache.historyStream(event, { ...options, pageSize: question.limit }))
    assert.deepStrictEqual(pages.map(shownEvent), expected, `in pages: ${JSON.stringify(question)}`)
  }
})
