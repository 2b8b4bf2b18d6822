import { createEventBus } from "@eduflow/events"
import { AccountClosed } from "./events.ts"

export const main = async () => {
  const bus = await createEventBus({ url: "memory://", source: "accounts" })
  try {
    const closed = Promise.withResolvers<string>()
    const subscription = await bus.subscribe("crm.accounts", {
      events: [AccountClosed],
      handler: async (event, { signal }) => {
        signal.throwIfAborted()
        closed.resolve(event.data.userId)
      }
    })
    await bus.publish(AccountClosed, { userId: "u-1" })
    const userId = await closed.promise
    return { userId, stats: await subscription.stats() }
  } finally {
    await bus.close()
  }
}

if (import.meta.main) console.log(await main())
