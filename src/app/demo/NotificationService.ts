/**
 * The notification service: a grade, a post or a new connection becomes a message, and messages are dispatched, many
 * at a time.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import {
  CommentAdded,
  ConnectionAccepted,
  ConnectionRequested,
  DispatchDelivered,
  DispatchRequested,
  GradePosted,
  PostCreated
} from "../../catalog/index.ts"
import * as PlannedFailure from "./PlannedFailure.ts"
import { sample } from "./Samples.ts"
import type { ServiceTools } from "./ServiceTools.ts"

export const layer = ({ publish, subscribe }: ServiceTools) =>
  Layer.mergeAll(
    subscribe("notification", "grade-mailer", {
      events: [GradePosted],
      ordering: "key",
      onHandled: ({ data }, random) =>
        publish(DispatchRequested, { ...sample(DispatchRequested, random), recipientId: data.studentId })
    }),
    subscribe("notification", "social-news", {
      events: [PostCreated, CommentAdded, ConnectionRequested, ConnectionAccepted],
      onHandled: (event, random) => {
        // Notifies the requester that the connection was accepted, and the author that the post is online.
        const recipientId =
          event.type === "social.connection.accepted"
            ? event.data.fromId
            : event.type === "social.post.created"
              ? event.data.authorId
              : undefined
        return recipientId === undefined
          ? Effect.void
          : publish(DispatchRequested, { ...sample(DispatchRequested, random), recipientId })
      }
    }),
    subscribe("notification", "dispatcher", {
      events: [DispatchRequested],
      concurrency: 32,
      retry: PlannedFailure.retryWith(Schedule.spaced("25 millis").pipe(Schedule.upTo({ times: 3 }))),
      onHandled: ({ data }, random) =>
        publish(DispatchDelivered, {
          notificationId: data.notificationId,
          recipientId: data.recipientId,
          provider: "demo-mail",
          deliveredAt: sample(DispatchDelivered, random).deliveredAt
        })
    })
  )
