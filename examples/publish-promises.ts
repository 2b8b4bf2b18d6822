import { createEventBus, isPublishError } from "@eduflow/events"
import { AccountClosed } from "./events.ts"

export const program = async () => {
  const bus = await createEventBus({ url: "memory://", source: "accounts" })
  try {
    const { id, routed } = await bus.publish(AccountClosed, { userId: "u-1" })

    await bus.publish(AccountClosed, { userId: "u-2" }, { delay: "1 second", correlationId: id })

    await bus.publishAll(
      AccountClosed,
      ["u-3", "u-4", "u-5"].map((userId) => ({ userId }))
    )

    const outcome = await bus.publish(AccountClosed, { userId: "u-6" }, { mandatory: true }).then(
      () => "a subscriber is bound",
      (error: unknown) => {
        if (!isPublishError(error)) throw error
        if (error.reason._tag === "Unroutable") return "no subscriber is bound"
        if (error.isRetryable) return `publish it again, with the id ${error.id}`
        throw error
      }
    )
    return { routed, outcome }
  } finally {
    await bus.close()
  }
}

if (import.meta.main) console.log(await program())
