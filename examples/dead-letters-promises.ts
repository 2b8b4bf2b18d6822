import { createEventBus, type PromiseEventBus, Reject } from "@eduflow/events"
import { setTimeout } from "node:timers/promises"
import { AccountClosed } from "./events.ts"

export const replayRejected = async ({ deadLetters }: PromiseEventBus) => {
  const rejected = await deadLetters.list("directory.accounts", { reason: "Rejected", limit: 20 })
  for (const { attempts, error, eventId, failures } of rejected) {
    console.log(`${eventId}: ${error.message} after ${attempts} attempts`, failures)
  }
  const filter = { reason: "Rejected", newerThan: "1 day" } as const
  const plan = await deadLetters.replay("directory.accounts", { ...filter, dryRun: true })
  console.log(`${plan.replayed} would be replayed, ${plan.guarded} were replayed too often`, plan.errorTags)
  return deadLetters.replay("directory.accounts", { ...filter, rate: 100 })
}

export const program = async () => {
  const bus = await createEventBus({ url: "memory://", source: "accounts" })
  try {
    await bus.subscribe("directory.accounts", {
      events: [AccountClosed],
      handler: ({ data }) => {
        throw new Reject({ reason: `an account without a user: ${data.userId}` })
      }
    })
    await bus.publish(AccountClosed, { userId: "nobody" })
    while ((await bus.deadLetters.count("directory.accounts")) === 0) await setTimeout(100)
    return await replayRejected(bus)
  } finally {
    await bus.close()
  }
}

if (import.meta.main) console.log(await program())
