/** The notification service: what happens elsewhere becomes a message, and messages are dispatched. */
import { Layer } from "effect"
import {
  CommentAdded,
  ConnectionAccepted,
  ConnectionRequested,
  DispatchDelivered,
  DispatchRequested,
  GradePosted
} from "../../catalog/index.ts"
import { sample } from "./Samples.ts"
import type { Stage } from "./Stage.ts"

export const layer = ({ listen, random, say }: Stage) =>
  Layer.mergeAll(
    listen("notification", "grade-mailer", {
      events: [GradePosted],
      ordering: "key",
      react: ({ data }) => say(DispatchRequested, { ...sample(DispatchRequested, random), recipientId: data.studentId })
    }),
    listen("notification", "social-news", { events: [CommentAdded, ConnectionRequested, ConnectionAccepted] }),
    listen("notification", "dispatcher", {
      events: [DispatchRequested],
      concurrency: 32,
      react: ({ data }) =>
        say(DispatchDelivered, {
          notificationId: data.notificationId,
          recipientId: data.recipientId,
          provider: "demo-mail",
          deliveredAt: sample(DispatchDelivered, random).deliveredAt
        })
    })
  )
