/** Hooks of the Promise API: their order, what they see, and what becomes of their failures. */
import { Schedule, Schema } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { afterEach, assert, describe, it, vi } from "vitest"
import { createEventBus, Event, isPublishError, Reject } from "../../../src/index.ts"
import type { PromiseAround } from "../../../src/index.ts"
import { until } from "./PromiseTools.ts"

const Noted = Event.make("around.noted", { version: 1, data: Schema.Struct({ n: Schema.Int }) })

const open = (...around: ReadonlyArray<PromiseAround>) => createEventBus({ url: "memory://", around })

describe("hooks of the Promise API", () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it("surround handlers and publishes, the last one outermost, in the async context of the hook", async () => {
    const book: Array<string> = []
    const transaction = new AsyncLocalStorage<string>()
    const hook = (name: string): PromiseAround => ({
      name,
      handling: (handle, { events, signal, subscriber }) => {
        assert.isFalse(signal.aborted)
        book.push(`${name} ${subscriber} ${events[0]?.type}`)
        return transaction.run(`${transaction.getStore() ?? ""}${name}`, handle)
      },
      publishing: async (publish, { call, data, event }) => {
        book.push(`${name} ${call} ${event.name} ${JSON.stringify(data)}`)
        await publish()
        book.push(`${name} published`)
      }
    })
    await using bus = await open(hook("inner"), hook("outer"))
    await bus.subscribe("around.reader", {
      events: [Noted],
      handler: async ({ data }) => {
        await Promise.resolve()
        book.push(`${transaction.getStore()} ${data.n}`)
      }
    })
    await bus.publish(Noted, { n: 1 })
    await until(() => book.length === 7)
    assert.deepStrictEqual(book, [
      'outer publish around.noted {"n":1}',
      'inner publish around.noted {"n":1}',
      "inner published",
      "outer published",
      "outer around.reader around.noted",
      "inner around.reader around.noted",
      "outerinner 1"
    ])
  })

  it("fail an attempt with their own error, and pass on what the handler says", async () => {
    class Locked extends Error {
      override readonly name = "Locked"
    }
    let isLocked = true
    await using bus = await open({
      name: "lock",
      handling: async (handle) => {
        if (isLocked) throw new Locked("held")
        await handle()
      }
    })
    const handled: Array<number> = []
    await bus.subscribe("around.locked", {
      events: [Noted],
      retry: Schedule.recurs(0),
      handler: async ({ data }) => {
        handled.push(data.n)
        throw new Reject({ reason: "never" })
      }
    })
    const letters = () => bus.deadLetters.list("around.locked")
    await bus.publish(Noted, { n: 1 })
    await until(async () => (await letters()).length === 1)
    isLocked = false
    await bus.publish(Noted, { n: 2 })
    await until(async () => (await letters()).length === 2)
    const [first, second] = await letters()
    assert.strictEqual(`${first?.reason} ${first?.error.tag}`, "Exhausted Locked")
    assert.deepInclude(second, { reason: "Rejected" })
    assert.deepStrictEqual(handled, [2])
  })

  it("wait for a handler that the hook did not wait for, and end one that it gave up", async () => {
    const ended: Array<string> = []
    await using bus = await open({
      name: "careless",
      handling: async (handle, { events: [event] }) => {
        const handled = handle()
        if (event?.id === "gives up") await Promise.race([handled, Promise.reject(new Error("too slow"))])
      }
    })
    const subscription = await bus.subscribe("around.careless", {
      events: [Noted],
      concurrency: 1,
      retry: Schedule.recurs(0),
      handler: async ({ id }, { signal }) => {
        if (id === "gives up") {
          await new Promise((resolve) => signal.addEventListener("abort", resolve))
          ended.push("aborted")
        } else {
          await new Promise((resolve) => setTimeout(resolve, 20))
          ended.push(id)
          throw new Reject({ reason: "no" })
        }
      }
    })
    await bus.publish(Noted, { n: 1 }, { id: "forgotten" })
    await bus.publish(Noted, { n: 2 }, { id: "gives up" })
    await until(async () => (await bus.deadLetters.list("around.careless")).length === 2)
    const letters = await bus.deadLetters.list("around.careless")
    assert.deepStrictEqual(
      letters.map(({ eventId, reason }) => `${eventId} ${reason}`),
      ["forgotten Rejected", "gives up Exhausted"]
    )
    assert.deepStrictEqual(ended, ["forgotten", "aborted"])
    assert.strictEqual((await subscription.stats()).handled, 0)
  })

  it("reject a publish that they did not make, and one that failed within them", async () => {
    await using bus = await open({
      name: "guard",
      publishing: async (publish, { data }) => {
        if ((data as { readonly n: number }).n > 0) await publish()
      }
    })
    const reasonOf = (call: Promise<unknown>) =>
      call.then(
        () => undefined,
        (error: unknown) => (isPublishError(error) ? error.reason : error)
      )
    assert.deepInclude(await reasonOf(bus.publish(Noted, { n: 0 })), {
      _tag: "AroundFailed",
      hook: "guard",
      begun: false
    })
    assert.deepInclude(await reasonOf(bus.publish(Noted, { n: 1.5 })), { _tag: "Invalid" })
    assert.deepInclude(await reasonOf(bus.publish(Noted, { n: 1 }, { mandatory: true })), { _tag: "Unroutable" })
    assert.isUndefined(await reasonOf(bus.publish(Noted, { n: 1 })))
  })

  it("are those of a bus of the environment, where nothing else is given", async () => {
    vi.stubEnv("EVENTBUS_URL", "memory://")
    const seen: Array<string> = []
    const publishing: PromiseAround["publishing"] = async (publish, { event }) => {
      seen.push(event.name)
      await publish()
    }
    await using bus = await createEventBus({ around: [{ name: "seen", publishing }] })
    await bus.publish(Noted, { n: 1 })
    assert.deepStrictEqual(seen, ["around.noted"])
  })

  it("are refused by their names when they are none", async () => {
    const refused = async (around: unknown) => {
      try {
        await createEventBus({ url: "memory://", around: around as ReadonlyArray<PromiseAround> })
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
      throw new Error("not refused")
    }
    assert.include(await refused({ name: "one" }), "around")
    assert.include(await refused([{}]), "name")
    assert.include(await refused([undefined]), "name")
    assert.include(await refused([{ name: "a", handling: "b" }]), "handling")
    assert.include(await refused([{ name: "a", handlin: () => {} }]), "handlin")
  })
})
