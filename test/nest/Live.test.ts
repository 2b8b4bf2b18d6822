/** The module of NestJS on RabbitMQ and Redis. */
import { assert, it } from "vitest"
import { BrokerError } from "../../src/index.ts"
import { EventBus, EventsModule } from "../../src/nest/index.ts"
import { describeLive, freshNamespace, rabbitUrl, redisUrl } from "../support/live.ts"
import { appCases } from "./AppCases.ts"
import { appOf, failureOf } from "./NestTools.ts"

describeLive("an app of NestJS, on RabbitMQ and Redis", () => {
  const options = () => ({
    url: rabbitUrl(),
    redisUrl: redisUrl(),
    redisTimeout: "10 seconds" as const,
    namespace: freshNamespace(),
    source: "nest",
    allowPlaintext: true
  })
  appCases(options)

  it("a start without rights rejects with a BrokerError, and so does what was called before", async () => {
    const url = rabbitUrl().replace(/\/\/[^@]*@/, "//nobody:wrong@")
    const app = await appOf([EventsModule.forRoot({ ...options(), url })])
    const early = failureOf(app.get(EventBus).tree())
    const error = await failureOf(app.init())
    assert.instanceOf(error, BrokerError)
    assert.strictEqual(await early, error)
    await app.close()
  })
})
