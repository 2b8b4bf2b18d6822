/** Events and helpers that the cases of the Promise API share. */
import { Schema } from "effect"
import { Event } from "../../../src/index.ts"

export const Counted = Event.make("promise.thing.counted", {
  version: 1,
  data: Schema.Struct({ id: Schema.String, n: Schema.Finite }),
  key: ({ id }) => id,
  cache: { perKey: true }
})
export const Echoed = Event.make("promise.thing.echoed", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
export const Guarded = Event.make("promise.thing.guarded", {
  version: 1,
  data: Schema.Struct({}),
  publishers: { roles: ["teacher"] }
})

export const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** Repeats until the condition holds; the time limit of the test ends it otherwise. */
export const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await sleep(10)
}

export const take = async <A>(count: number, items: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const taken: Array<A> = []
  for await (const item of items) if (taken.push(item) >= count) break
  return taken
}

export const all = <A>(items: AsyncIterable<A>) => take(Number.POSITIVE_INFINITY, items)

export const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
