/**
 * The notification service: a grade, a post or a new connection becomes a message, and messages are
 * dispatched, many at a time.
 */
import { Effect, Layer, Schedule } from "effect"
import {
  CommentAdded,
  ConnectionAccepted,
  ConnectionRequested,
  DispatchDelivered,
  DispatchRequested,
  GradePosted,
  PostCreated
} from "../../catalog/index.ts"
import * as Fate from "./Fate.ts"
import { sample } from "./Samples.ts"
import type { Stage } from "./Stage.ts"

export const layer = ({ listen, say }: Stage) =>
  Layer.mergeAll(
    listen("notification", "grade-mailer", {
      events: [GradePosted],
      ordering: "key",
      react: ({ data }, random) =>
        say(DispatchRequested, { ...sample(DispatchRequested, random), recipientId: data.studentId })
    }),
    listen("notification", "social-news", {
      events: [PostCreated, CommentAdded, ConnectionRequested, ConnectionAccepted],
      react: (event, random) => {
        // Who asked for the connection is told that it was accepted; who posts, that the post is online.
        const recipientId =
          event.type === "social.connection.accepted"
            ? event.data.fromId
            : event.type === "social.post.created"
              ? event.data.authorId
              : undefined
        return recipientId === undefined
          ? Effect.void
          : say(DispatchRequested, { ...sample(DispatchRequested, random), recipientId })
      }
    }),
    listen("notification", "dispatcher", {
      events: [DispatchRequested],
      concurrency: 32,
      retry: Fate.retryWith(Schedule.spaced("25 millis").pipe(Schedule.upTo({ times: 3 }))),
      react: ({ data }, random) =>
        say(DispatchDelivered, {
          notificationId: data.notificationId,
          recipientId: data.recipientId,
          provider: "demo-mail",
          deliveredAt: sample(DispatchDelivered, random).deliveredAt
        })
    })
  )
