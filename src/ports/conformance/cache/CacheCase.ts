/** The set-up of the cases of a `CacheStore`: the store, the service over it, and entries to write. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { CacheError } from "../../../bus/port/CacheError.ts"
import { type CacheEntry, CacheStore } from "../../../bus/port/CacheStore.ts"
import * as CacheReader from "../../../bus/read/CacheReader.ts"
import type { EventReads } from "../../../bus/read/EventReads.ts"
import * as ConformanceCase from "../ConformanceCase.ts"
import { base } from "./CacheModel.ts"

export interface CacheStoreOptions {
  /**
   * Waits until what was written can be read by every process, for stores that write behind. By default the cases read
   * at once: a store has to see its own writes.
   */
  readonly settle?: (store: CacheStore["Service"]) => Effect.Effect<void>
}

export interface CacheUnderTest {
  readonly store: CacheStore["Service"]
  /** The service over the store. */
  readonly events: EventReads
  readonly settle: Effect.Effect<void>
  readonly write: (...entries: ReadonlyArray<CacheEntry>) => Effect.Effect<void>
  /** The body of the last known event as text. */
  readonly lastOf: (event: string, key?: string) => Effect.Effect<string | undefined, CacheError>
  /** The bodies of a history as text. */
  readonly historyOf: (event: string, key?: string, limit?: number) => Effect.Effect<ReadonlyArray<string>, CacheError>
}

export type CacheCase = (options: CacheStoreOptions) => ConformanceCase.ConformanceCase<CacheStore>

export const cacheCase =
  (name: string, test: (cache: CacheUnderTest) => Effect.Effect<void, unknown>): CacheCase =>
  (options) =>
    ConformanceCase.make(name, () => Effect.flatMap(CacheStore, (store) => test(underTest(store, options))))

export const underTest = (store: CacheStore["Service"], options: CacheStoreOptions): CacheUnderTest => {
  const settle = options.settle?.(store) ?? Effect.void
  return {
    store,
    events: CacheReader.make(store),
    settle,
    write: (...entries) =>
      Effect.suspend(() => {
        for (const one of entries) store.write(one)
        return settle
      }),
    lastOf: (event, key = "") =>
      Effect.map(store.last(event, key), (found) =>
        Option.getOrUndefined(Option.map(found, ({ body }) => body.toString("utf8")))
      ),
    historyOf: (event, key, limit = 1_000) =>
      Effect.map(store.history(event, { key, limit }), (found) => found.map(({ body }) => body.toString("utf8")))
  }
}

let named = 0
/** The name of an event that no other case uses. */
export const fresh = (): string => `suite.event-${++named}`

export const entry = (event: string, number: number, more: Partial<CacheEntry> = {}): CacheEntry => ({
  event,
  key: "",
  id: `id-${String(number).padStart(6, "0")}`,
  time: base + number,
  body: Buffer.from(`body ${number}`),
  settings: {},
  ...more
})

/** Keys that a store may confuse with each other or with its own names. */
export const oddKeys = [
  "",
  "a:b",
  "{a}",
  "}last",
  "a}:last",
  "a/b",
  "a%2Fb",
  "%",
  "line\nbreak\r\n",
  "snow ☃ and 🎓",
  "nul\u0000byte",
  "\ud800 half",
  "\udc00 half",
  "*",
  "__proto__",
  "k".repeat(255),
  "é".repeat(127)
]
