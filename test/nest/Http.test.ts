/** Health and metrics of the bus as a middleware of an app, which is one of Express. */
import { Controller, Get } from "@nestjs/common"
import { Test } from "@nestjs/testing"
import { assert, describe, it } from "vitest"
import { OptionInvalid } from "../../src/index.ts"
import { EventBus, EventsModule } from "../../src/nest/index.ts"

@Controller("orders")
class Orders {
  @Get()
  all() {
    return ["an order"]
  }
}

describe("health and metrics of an app", () => {
  it("are answered beside its controllers, and metrics are data", async () => {
    const imports = [EventsModule.forRoot({ url: "memory://", source: "nest" })]
    const moduleRef = await Test.createTestingModule({ imports, controllers: [Orders] }).compile()
    const app = moduleRef.createNestApplication()
    app.useLogger(false)
    const bus = app.get(EventBus)
    // A caller without types.
    const wrong = { details: "local" } as object
    assert.throws(() => bus.httpHandler(wrong), OptionInvalid)
    app.use(bus.httpHandler())
    await app.listen(0, "127.0.0.1")
    const ask = async (path: string) => {
      const answer = await fetch((await app.getUrl()) + path)
      return `${answer.status} ${await answer.text()}`
    }
    assert.strictEqual(await ask("/health"), '200 {"status":"up"}')
    assert.include(await ask("/metrics"), "# TYPE")
    assert.strictEqual(await ask("/orders"), '200 ["an order"]')
    assert.isAbove((await bus.metrics()).length, 10)
    assert.include(await bus.metricsText(), "# TYPE")
    await app.close()
  })
})
