/** The module in tests of an app: the clock that `settle` moves, what was published, and faults. */
import { Injectable, Module } from "@nestjs/common"
import { Test } from "@nestjs/testing"
import { Schedule } from "effect"
import { assert, describe, it } from "vitest"
import {
  EventBus,
  EventsModule,
  EventsModuleError,
  EventsTestingModule,
  OnEvent,
  testEvents
} from "../../src/nest/index.ts"
import { appOf, failureOf } from "./NestTools.ts"
import { Billed, Billing, Fraud, Mails, MailsModule, OrdersModule, Placed } from "./Shop.ts"

@Injectable()
class Slow {
  readonly attempts: Array<number> = []

  @OnEvent(Placed, { retry: Schedule.spaced("1 day").pipe(Schedule.upTo({ times: 3 })) })
  handle(_: unknown, { attempt }: { readonly attempt: number }) {
    this.attempts.push(attempt)
    if (attempt < 3) throw new Error("not today")
  }
}

@Module({ providers: [Slow] })
class SlowModule {}

/** Its factory would fail: a test replaces the bus before any option is made. */
const live = EventsModule.forRootAsync({
  useFactory: () => {
    throw new Error("no settings in tests")
  }
})

describe("EventsTestingModule", () => {
  it("replaces the bus of a whole app, whose options are not made", async () => {
    const builder = Test.createTestingModule({ imports: [live, OrdersModule, MailsModule, SlowModule] })
    const app = await EventsTestingModule.replaceIn(builder, { source: "shop" }).compile()
    await app.init()
    const [bus, events] = [app.get(EventBus), testEvents(app)]
    await bus.publish(Placed, { orderId: "o-1", cents: 5_000 })
    await events.settle()
    assert.deepStrictEqual(app.get(Slow).attempts, [1, 2, 3])
    assert.deepStrictEqual(app.get(Fraud).attempts, [1, 2])
    assert.strictEqual(await bus.deadLetters.count("nest.fraud"), 1)
    assert.strictEqual(await bus.deadLetters.count("shop.slow.handle"), 0)
    assert.deepStrictEqual(
      (await events.published(Billed)).map(({ data }) => data),
      [{ orderId: "o-1" }]
    )
    assert.include(app.get(Mails).sent, "bill o-1")
    await app.close()
  })

  it("delivers to one handler, and reports how that ended", async () => {
    const app = await appOf([EventsTestingModule.forRoot(), OrdersModule])
    await app.init()
    const { deliver, published } = testEvents(app)
    const order = { orderId: "o-2", cents: 50_000 }
    const rejected = await deliver("nest.fraud", Placed, order)
    assert.deepStrictEqual([rejected._tag, "reason" in rejected && rejected.reason], ["DeadLettered", "Rejected"])
    assert.strictEqual((await deliver("nest.billing", Placed, order))._tag, "Handled")
    assert.lengthOf(await published(Billed), 1)
    const unknown = await failureOf(deliver("nest.nobody", Placed, order))
    assert.include(String(unknown), "nest.billing, nest.fraud")
    await app.close()
  })

  it("takes faults: an event that is delivered again is billed once by an idempotent handler", async () => {
    const app = await appOf([
      EventsTestingModule.forRoot({ faults: { seed: 3, redelivered: 0.3, confirmDelayed: 0.2 } }),
      OrdersModule
    ])
    await app.init()
    const [bus, { faults, published, settle }] = [app.get(EventBus), testEvents(app)]
    const orders = Array.from({ length: 40 }, (_, n) => ({ orderId: `o-${n}`, cents: n }))
    assert.strictEqual(await bus.publishAll(Placed, orders), 40)
    await settle()
    assert.isAbove((await faults.injected()).length, 0)
    const billed = new Set((await published(Billed)).map(({ data }) => data.orderId))
    assert.strictEqual(billed.size, 40)
    await app.close()
  })

  it("closes although a handler waits for ever: its drain is given up after the time of the clock", async () => {
    @Injectable()
    class Endless {
      readonly begun = Promise.withResolvers<void>()
      @OnEvent(Placed, { subscriber: "nest.endless", deadline: "20 minutes" })
      async handle() {
        this.begun.resolve()
        await new Promise(() => {})
      }
    }
    @Module({ providers: [Endless] })
    class EndlessModule {}
    const app = await appOf([EventsTestingModule.forRoot(), EndlessModule])
    await app.init()
    await app.get(EventBus).publish(Placed, { orderId: "o-3", cents: 1 })
    await app.get(Endless).begun.promise
    await app.close()
  })

  it("is asked for where a live bus is", async () => {
    const app = await appOf([EventsModule.forRoot({ url: "memory://", source: "nest" }), OrdersModule])
    await app.init()
    const error = await failureOf(testEvents(app).settle())
    assert.instanceOf(error, EventsModuleError)
    assert.include(String(error), "EventsTestingModule.replaceIn")
    assert.isDefined(app.get(Billing))
    await app.close()
  })
})
