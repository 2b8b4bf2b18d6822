/** Requests with Promises, on any transport. Run by PromiseBus.test.ts. */
import { assert } from "@effect/vitest"
import { it } from "vitest"
import { createEventBus, type EventBus, RequestError, SubscribeError } from "../../../src/index.ts"
import { NoSuchCourse, Ping, SeatsLeft } from "../../bus/request/contracts.ts"

export const requestCases = (options: () => EventBus.LiveOptions): void => {
  const date = new Date(0)

  it("a request resolves with its reply, or rejects with the error that the handler threw", async () => {
    await using bus = await createEventBus(options())
    await using _replier = await bus.reply("promise.seats", {
      to: SeatsLeft,
      handler: async ({ data: { courseId } }, { signal }) => {
        if (courseId === "none") throw new NoSuchCourse({ courseId })
        return { seats: signal.aborted ? 0 : courseId.length, until: date }
      }
    })
    assert.deepStrictEqual(await bus.request(SeatsLeft, { courseId: "c-7" }), { seats: 3, until: date })
    const error = await bus.request(SeatsLeft, { courseId: "none" }).catch((error: unknown) => error)
    assert.instanceOf(error, NoSuchCourse)
    assert.strictEqual(error.courseId, "none")
    const [answer] = await bus.requestAll(SeatsLeft, { courseId: "c" }, { within: "1 minute", atMost: 1 })
    assert.deepInclude(answer?.result, { _tag: "Success", success: { seats: 1, until: date } })
  })

  it("a request rejects with a RequestError where nobody replies, and with the reason of its signal", async () => {
    await using bus = await createEventBus(options())
    const unheard = await bus.request(Ping, { n: 1 }).catch((error: unknown) => error)
    assert.instanceOf(unheard, RequestError)
    assert.strictEqual(unheard.reason._tag, "NotPublished")
    await using _replier = await bus.reply("promise.silent", { to: Ping, handler: () => new Promise<number>(() => {}) })
    const gone = new Error("the browser is gone")
    const aborted = await bus
      .request(Ping, { n: 1 }, { signal: AbortSignal.abort(gone) })
      .catch((error: unknown) => error)
    assert.strictEqual(aborted, gone)
    const controller = new AbortController()
    const waiting = bus.request(Ping, { n: 1 }, { signal: controller.signal }).catch((error: unknown) => error)
    controller.abort(gone)
    assert.strictEqual(await waiting, gone)
  })

  it("a replier without a contract of a request, or without a handler, is refused", async () => {
    await using bus = await createEventBus(options())
    for (const [wrong, option] of [
      [{ to: {}, handler: () => 1 }, "to"],
      [{ to: Ping }, "handler"],
      [{ to: Ping, handler: () => 1, events: [Ping] }, "events"],
      [{ to: Ping, handler: () => 1, batch: { size: 2, maxWait: 1 } }, "batch"]
    ] as const) {
      const error = await bus.reply("promise.wrong", wrong as never).catch((error: unknown) => error)
      assert.instanceOf(error, SubscribeError)
      assert.include(error.message, `\`${option}\``)
    }
  })
}
