/** What `console.error` shows of the errors of the Promise API: message, stack, and the call that failed. */
import { assert, describe, it } from "@effect/vitest"
import { inspect } from "node:util"
import { afterEach } from "vitest"
import { createEventBus, type PromiseEventBus, Reject } from "../../../src/index.ts"
import { NotSettled } from "../../../src/testing/index.ts"
import { Counted, Guarded, until } from "./PromiseTools.ts"

const open = () => createEventBus({ url: "memory://", source: "promise" })

/** As `console.error` prints it. */
const shownOf = async (failing: () => Promise<unknown>): Promise<string> => {
  try {
    await failing()
  } catch (error) {
    return inspect(error)
  }
  assert.fail("it did not fail")
}

const assertShown = (shown: string, name: string, message: string, caller: string): void => {
  const [first = "", ...frames] = shown.split("\n")
  assert.isTrue(first.startsWith(`${name}: `), shown)
  assert.include(first, message)
  assert.match(frames[0] ?? "", new RegExp(`^ +at (async )?${caller} \\(.*ErrorStacks\\.test\\.ts:\\d+:\\d+\\)`), shown)
  // Nothing of the library, nor of Effect.
  assert.notMatch(shown, /\/src\/|node_modules/)
}

type Failing = readonly [name: string, message: string, call: (bus: PromiseEventBus) => Promise<unknown>]

/** By the name of the function that calls, each with a failure within the call and one long after it. */
const failing: ReadonlyArray<Failing> = [
  [
    "PublishError",
    "Denied",
    async function publishesForbidden(bus) {
      await bus.publish(Guarded, {})
    }
  ],
  [
    "PublishError",
    "Unroutable",
    async function publishesToNobody(bus) {
      return await bus.publish(Counted, { id: "a", n: 1 }, { mandatory: true })
    }
  ],
  [
    "PublishError",
    "Unroutable",
    async function publishesTogether(bus) {
      await Promise.all([1, 2].map((n) => bus.publish(Counted, { id: "a", n }, { mandatory: true })))
    }
  ],
  [
    "PublishError",
    "Unroutable",
    async function publishesAndCatches(bus) {
      throw await bus.publish(Counted, { id: "a", n: 1 }, { mandatory: true }).catch((error: unknown) => error)
    }
  ],
  [
    "PublishAllError",
    "at position 0",
    async function publishesMany(bus) {
      await bus.publishAll(Counted, [{ id: "a", n: 1 }], { mandatory: true })
    }
  ],
  [
    "SubscribeError",
    "Bad Name",
    async function subscribesBadly(bus) {
      await bus.subscribe("Bad Name", { events: [Counted], handler: () => {} })
    }
  ],
  [
    "SubscribeError",
    "no event is listed",
    async function iteratesNothing(bus) {
      for await (const item of bus.stream([])) assert.fail(String(item))
    }
  ],
  [
    "DeadLettersError",
    "nobody",
    async function countsNobody(bus) {
      await bus.deadLetters.count("nobody")
    }
  ]
]

describe("errors of the Promise API", () => {
  it("show their message and, as first frame, the call that failed", async () => {
    await using bus = await open()
    for (const [name, message, call] of failing) {
      assertShown(await shownOf(() => call(bus)), name, message, call.name)
    }
    const closed = await open()
    await closed.close()
    const late = async function publishesTooLate() {
      await closed.publish(Counted, { id: "a", n: 1 })
    }
    assertShown(await shownOf(late), "PublishError", "the bus is closed", late.name)
  })

  it("show the call although nobody awaits it, where that costs no publish anything", async () => {
    await using bus = await open()
    const shown: Array<string> = []
    const show = (error: unknown): void => void shown.push(inspect(error))
    const forgets = function forgetsToAwait() {
      bus.publish(Guarded, {}).catch(show)
      bus.subscribe("Bad Name", { events: [Counted], handler: () => {} }).catch(show)
      bus.deadLetters.count("nobody").catch(show)
      createEventBus({ url: "http://localhost" }).catch(show)
    }
    forgets()
    await until(() => shown.length === 4)
    for (const name of ["PublishError", "SubscribeError", "DeadLettersError", "BrokerError"]) {
      const text = shown.find((one) => one.startsWith(name)) ?? assert.fail(name)
      assertShown(text, name, "", forgets.name)
    }
  })

  it("keep the stack of what code of the user threw", async () => {
    await using bus = await open()
    const broken = function breaks(): Error {
      return new Error("the file ends here")
    }
    const source = (function* () {
      yield { id: "a", n: 1 }
      throw broken()
    })()
    const shown = await shownOf(() => bus.publishAll(Counted, source))
    assert.match(shown, /\[cause\]: Error: the file ends here\n +at breaks/)
  })

  it("are shown with message and stack wherever they come from, with their fields after them", () => {
    const rejected = inspect(new Reject({ reason: "no such student" }))
    assert.match(rejected, /^Reject: no such student\n +at /)
    assert.include(rejected, "reason: 'no such student'")
    assert.match(inspect(new NotSettled({ steps: 1, running: 2, held: 3, delayed: 4 })), /^NotSettled: .*2 handlers/)
    assert.match(inspect([new Reject({ reason: "in a list" })]), /Reject: in a list\n +at /)
  })
})

describe("createEventBus, of an environment that cannot be read", () => {
  const names = ["EVENTBUS_URL", "EVENTBUS_PUBLISH_TIMEOUT", "EVENTBUS_REDIS_URL"] as const
  const before = names.map((name) => [name, process.env[name]] as const)
  afterEach(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })

  it("shows the setting, its value, what is expected, and the call", async () => {
    process.env["EVENTBUS_URL"] = "memory://"
    process.env["EVENTBUS_PUBLISH_TIMEOUT"] = "soon"
    const create = async function createsFromEnvironment() {
      await createEventBus()
    }
    const shown = await shownOf(create)
    assertShown(shown, "BrokerError", 'EVENTBUS_PUBLISH_TIMEOUT: "soon" cannot be read', create.name)
    assert.include(shown, "15 seconds")
    delete process.env["EVENTBUS_URL"]
    assertShown(await shownOf(create), "BrokerError", "amqp://user:password@host/vhost", create.name)
  })
})
