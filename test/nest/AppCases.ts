/** What an app with the module does, on whichever broker. */
import { Injectable, Module, type OnModuleInit } from "@nestjs/common"
import { assert, it } from "vitest"
import { SubscribeError } from "../../src/index.ts"
import { EventBus, EventsModule, type EventsModuleOptions, OnEvent } from "../../src/nest/index.ts"
import { until } from "../app/promise/PromiseTools.ts"
import { appOf, failureOf, withApp } from "./NestTools.ts"
import { Billing, Fraud, Gate, Ledger, Mails, MailsModule, OrdersModule, Placed } from "./Shop.ts"

export const appCases = (options: () => EventsModuleOptions): void => {
  const shop = (own = options()) => [EventsModule.forRoot(own), OrdersModule, MailsModule]

  it("a request publishes, and handlers of two modules handle with what they inject", () =>
    withApp(shop(), async (app, ask) => {
      const { answer, status } = await ask("/orders", { orderId: "o-1", cents: 5 })
      assert.strictEqual(status, 201)
      assert.isTrue(answer instanceof Object && "routed" in answer && answer.routed)
      await until(() => app.get(Mails).sent.length === 3)
      assert.sameMembers(app.get(Mails).sent, ["thanks for 5", "bill o-1", "seen o-1"])
      assert.deepStrictEqual(app.get(Ledger).lines, ["billed o-1: 5"])
      assert.strictEqual((await app.get(EventBus).subscription("nest.billing")?.stats())?.handled, 1)
    }))

  it("a handler that throws is retried, then its event is a dead letter; Reject makes one at once", () =>
    withApp(shop(), async (app, ask) => {
      await ask("/orders", { orderId: "o-2", cents: 5_000 })
      await ask("/orders", { orderId: "o-3", cents: 50_000 })
      await until(async () => (await ask("/orders/letters/nest.fraud")).answer === 2)
      assert.deepStrictEqual(app.get(Fraud).attempts, [1, 2])
      const letters = await app.get(EventBus).deadLetters.list("nest.fraud")
      assert.sameMembers(
        letters.map(({ error, reason }) => `${reason}: ${error.message}`),
        ["Exhausted: the register is away", "Rejected: too much"]
      )
    }))

  it("an end drains: handlers that run finish with their providers, and publish; later events wait in the queue", async () => {
    const own = options()
    const app = await appOf(shop(own))
    await app.init()
    const [billing, bus, ledger] = [app.get(Billing), app.get(EventBus), app.get(Ledger)]
    const gate = new Gate()
    billing.gates.set("o-4", gate)
    await bus.publish(Placed, { orderId: "o-4", cents: 1 })
    await gate.entered.promise
    const closing = app.close()
    // It has begun to end when it starts no handler any more.
    await until(async () => (await bus.subscription("nest.billing")?.status())?._tag === "Draining")
    assert.isTrue(ledger.isOpen)
    await bus.publish(Placed, { orderId: "o-5", cents: 2 })
    gate.open()
    await closing
    assert.deepStrictEqual([ledger.lines, ledger.isOpen], [["billed o-4: 1"], false])
    await failureOf(bus.publish(Placed, { orderId: "o-6", cents: 3 }))
    // The embedded broker has ended with its bus.
    if (own.url === "memory://") return
    await withApp(shop(own), async (successor) => {
      await until(() => successor.get(Ledger).lines.length === 1)
      assert.deepStrictEqual(successor.get(Ledger).lines, ["billed o-5: 2"])
    })
  })

  it("a start that fails rejects with the error of the subscriber, and ends the handlers that had started", async () => {
    const ended: Array<string> = []
    @Injectable()
    class Refused {
      @OnEvent(Placed, { subscriber: "nest.refused", concurrency: -1 })
      handle() {}
    }
    @Injectable()
    class Early implements OnModuleInit {
      constructor(private readonly bus: EventBus) {}
      async onModuleInit() {
        // The bus is connected already, or connects for this.
        await this.bus.publish(Placed, { orderId: "o-7", cents: 1 })
        void this.bus.tree().then(({ source }) => ended.push(source))
      }
      @OnEvent(Placed, { subscriber: "nest.early" })
      handle() {}
    }
    @Module({ providers: [Early, Refused] })
    class FailingModule {}
    const app = await appOf([EventsModule.forRoot(options()), FailingModule])
    const bus = app.get(EventBus)
    const error = await failureOf(app.listen(0, "127.0.0.1"))
    assert.instanceOf(error, SubscribeError)
    assert.include(error.message, "nest.refused")
    assert.include(error.message, "concurrency")
    assert.deepStrictEqual(ended, ["nest"])
    // Its bus is closed, though nobody called close().
    await failureOf(bus.publish(Placed, { orderId: "o-8", cents: 1 }))
    await app.close()
  })
}
