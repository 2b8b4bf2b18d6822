import { EventBus, EventsTestingModule, testEvents } from "@eduflow/events/nest"
import { Test } from "@nestjs/testing"
import { expect, test } from "vitest"
import { AccountClosed } from "../events.ts"
import { AppModule, Mailer } from "./app.ts"

test("a goodbye is sent once; an account without a user is a dead letter after three days", async () => {
  const builder = Test.createTestingModule({ imports: [AppModule] })
  const app = await EventsTestingModule.replaceIn(builder).compile()
  await app.init()

  const bus = app.get(EventBus)
  await bus.publish(AccountClosed, { userId: "u-1" })
  await bus.publish(AccountClosed, { userId: "nobody" })
  await testEvents(app).settle()

  expect(app.get(Mailer).sent).toEqual(["goodbye u-1"])
  expect(await bus.deadLetters.count("accounts.goodbyes")).toBe(1)
  expect(await testEvents(app).published(AccountClosed)).toHaveLength(2)
  await app.close()
})
