import { EventBus, EventsTestingModule, testEvents } from "@eduflow/events/nest"
import { Test } from "@nestjs/testing"
import { AppModule, Posted, Store } from "./app.js"

// Of Jest, or of Vitest.
declare const test: (name: string, run: () => Promise<void>) => void
declare const expect: (value: unknown) => { toEqual: (other: unknown) => void }

test("handles an event of tomorrow", async () => {
  const app = await EventsTestingModule.replaceIn(Test.createTestingModule({ imports: [AppModule] })).compile()
  await app.init()
  await app.get(EventBus).publish(Posted, { text: "hello" }, { delay: "1 day" })
  await testEvents(app).settle()
  expect(app.get(Store).texts).toEqual(["hello"])
  expect((await testEvents(app).published(Posted)).map(({ data }) => data.text)).toEqual(["hello"])
  await app.close()
})
