import { operations, runMain } from "@eduflow/events"
import { Effect } from "effect"

const token = process.env["OPERATIONS_TOKEN"]

export const onCall = (port: number) =>
  operations({
    port,
    subscribers: ["notification.grade-mailer"],
    authorize: ({ headers }) =>
      Effect.succeed(
        token !== undefined && headers["authorization"] === `Bearer ${token}` ? { name: "on call" } : undefined
      )
  })

if (import.meta.main) runMain(onCall(8081))
