/** What a call of the doors with wrong options is made with, and the error that it ends with. */
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, ManagedRuntime, Schema, Stream } from "effect"
import {
  createEventBus,
  type DeadLetters,
  Event,
  EventBus,
  type EventCache,
  type Health,
  type PromiseEventBus,
  type RedisStores
} from "../../../src/index.ts"
import * as MemoryBroker from "../../../src/memory/MemoryBroker.ts"
import * as MemoryCache from "../../../src/memory/MemoryCache.ts"
import { TestBus } from "../../../src/testing/index.ts"

export const Moved = Event.make("options.moved", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
export const Asked = Event.request("options.asked", {
  version: 1,
  data: Schema.Struct({ n: Schema.Finite }),
  reply: Schema.Finite
})
export const right = { events: [Moved], handler: () => Effect.void }
export const data = { n: 1 }
export const state = { schema: Schema.String, timeToLive: "1 minute" } as const

export const runtime = ManagedRuntime.make(Layer.mergeAll(EventBus.layerMemory(), TestBus.layer.pipe(Layer.fresh)))
let promisedBus: PromiseEventBus | undefined
export const promised = (): PromiseEventBus => promisedBus ?? assert.fail("the bus is not there")
/** The buses that the calls are made on. */
export const open = async (): Promise<void> => void (promisedBus = await createEventBus({ url: "memory://" }))
export const close = async (): Promise<void> => {
  await promisedBus?.close()
  await runtime.dispose()
}

export type Services = EventBus | EventCache | DeadLetters | Health | TestBus | RedisStores.Stores
export const failing = async (effect: Effect.Effect<unknown, unknown, Services>): Promise<unknown> => {
  const exit = await runtime.runPromiseExit(effect)
  return Exit.isFailure(exit) ? Cause.squash(exit.cause) : assert.fail("it was accepted")
}
export const building = (layer: Layer.Layer<never, unknown, Services>) => failing(Effect.scoped(Layer.build(layer)))
export const rejecting = async (call: () => Promise<unknown>): Promise<unknown> => {
  try {
    await call()
  } catch (error) {
    return error
  }
  return assert.fail("it was accepted")
}
export const bus = (use: (bus: EventBus["Service"]) => Effect.Effect<unknown, unknown, never>) =>
  failing(Effect.flatMap(EventBus, use))
export const drain = (stream: Stream.Stream<unknown, unknown>) => Stream.runDrain(stream)
export const iterate = async (items: AsyncIterable<unknown>) => {
  for await (const _ of items) break
}
export const ports = Layer.merge(MemoryBroker.layer({ namespace: "options" }), MemoryCache.layer)

export interface Place {
  /** The types of its options in the API report. */
  readonly types: ReadonlyArray<string>
  /** Resolves to the error of these options. */
  readonly refuses: (options: never) => Promise<unknown>
  readonly tag: string
  /** Options that are right. */
  readonly base?: object
  /** A misspelled name, and the name that was meant. */
  readonly misspelled: readonly [string, string]
  /** A value of a wrong kind, and how the error quotes it. */
  readonly wrong: readonly [name: string, value: unknown, quoted: string]
  /** A name that may not be missing. */
  readonly required?: string
}
