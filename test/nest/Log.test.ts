/** The log of the bus in an app: Nest's logger, unless the options name another target. */
import type { LoggerService } from "@nestjs/common"
import { Test } from "@nestjs/testing"
import { Schema } from "effect"
import { assert, describe, it } from "vitest"
import { Event, type LogEntry, Reject } from "../../src/index.ts"
import { EventBus, EventsModule, type EventsModuleOptions } from "../../src/nest/index.ts"

const Posted = Event.make("nest.log.posted", { version: 1, data: Schema.Struct({}) })

/** What Nest's logger was called with, each with the name of the call, for an event that becomes a dead letter. */
const logOf = async (options: Partial<EventsModuleOptions>): Promise<ReadonlyArray<string>> => {
  const lines: Array<string> = []
  const call =
    (name: string) =>
    (...parts: ReadonlyArray<unknown>): void =>
      void lines.push([name, ...parts].join("|"))
  const logger: LoggerService = {
    log: call("log"),
    error: call("error"),
    warn: call("warn"),
    debug: call("debug"),
    verbose: call("verbose"),
    fatal: call("fatal")
  }
  const imports = [EventsModule.forRoot({ url: "memory://", source: "nest", ...options })]
  const moduleRef = await Test.createTestingModule({ imports }).setLogger(logger).compile()
  await moduleRef.init()
  const bus = moduleRef.get(EventBus)
  const subscription = await bus.subscribe("nest.log", {
    events: [Posted],
    handler: () => {
      throw new Reject({ reason: "no such post" })
    }
  })
  await bus.publish(Posted, {}, { id: "one" })
  while ((await subscription.stats()).deadLettered === 0) await new Promise((resolve) => setImmediate(resolve))
  await moduleRef.close()
  return lines.filter((line) => line.endsWith("|EventBus") || line.includes("EventBus second"))
}

describe("the log of the bus in an app", () => {
  it("goes to Nest's logger, with its level and its fields", async () => {
    const lines = await logOf({})
    assert.isTrue(
      lines.some((line) => /^error\|dead-lettered .*subscriber=nest\.log .*id=one.*\|EventBus$/s.test(line)),
      lines.join("\n")
    )
    assert.isFalse(lines.some((line) => line.startsWith("debug|")))
  })

  it("has the level of the option, and goes where the option says", async () => {
    const lines = await logOf({ logger: { level: "debug" } })
    assert.isTrue(
      lines.some((line) => /^debug\|published .*id=one/.test(line)),
      lines.join("\n")
    )
    const entries: Array<LogEntry> = []
    assert.deepStrictEqual(await logOf({ logger: (entry) => entries.push(entry) }), [])
    assert.isTrue(entries.some(({ message }) => message === "dead-lettered"))
  })
})
