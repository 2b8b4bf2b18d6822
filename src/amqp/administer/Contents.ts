/** What queues hold, and what that means for whoever wants to delete them. */
import * as Effect from "effect/Effect"
import type { Contents, RetireOptions } from "../../bus/port/Administration.ts"
import { attempt, isMissing, together } from "../inspect/Attempt.ts"
import { numberOf, textOf } from "../inspect/ManagementApi.ts"
import type { Access, Listing } from "./Access.ts"
import { ownerOf } from "./Names.ts"

/** Of those that exist. A passive declare is exact, and sees neither what is held nor what is stuck. */
export const look = (
  { connection }: Access,
  listing: Listing | undefined,
  queues: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Contents>> =>
  Effect.map(
    Effect.forEach(
      queues,
      (queue) =>
        Effect.map(
          attempt(connection, (channel) => channel.checkQueue(queue)),
          (answer): ReadonlyArray<Contents> => {
            if (isMissing(answer)) return []
            const listed = listing?.queues.find((one) => textOf(one, "name") === queue)
            const counted = answer._tag === "Done" ? answer.value : undefined
            return [
              {
                queue,
                ready: counted?.messageCount ?? null,
                consumers: counted?.consumerCount ?? null,
                unacknowledged: listed === undefined ? null : (numberOf(listed, "messages_unacknowledged") ?? 0),
                stuck: listed === undefined ? null : (numberOf(listed, "messages_dlx") ?? 0)
              }
            ]
          }
        ),
      together
    ),
    (found) => found.flat()
  )

/** Why it may not be deleted. */
export const blocks = (
  namespace: string,
  { consumers, queue, ready, stuck, unacknowledged }: Contents,
  { withContents }: Pick<RetireOptions, "withContents">
): ReadonlyArray<string> => {
  if (ready === null || consumers === null) return [`queue ${queue} could not be looked at`]
  // Its service would declare it again.
  if (consumers > 0) return [`${counted(consumers, "consumer")} of queue ${queue}: stop the service first`]
  const held = ready + (unacknowledged ?? 0) + (stuck ?? 0)
  return held === 0 || withContents
    ? []
    : [`queue ${queue} holds ${held}: ${remedyOf(namespace, queue)}, or delete them with --with-contents`]
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

const remedyOf = (namespace: string, queue: string): string => {
  const owner = ownerOf(namespace, queue)
  if (owner === undefined) return queue.includes(".delay.") ? "wait until they are due" : "look at them"
  return owner.kind === "dead"
    ? `eventbus dead-letters export ${owner.subscriber}, then replay or discard them`
    : `let subscriber ${owner.subscriber} handle them`
}

/** What was counted cannot hold what only the management API shows. */
export const unseenOf = (listing: Listing | undefined): ReadonlyArray<string> =>
  listing === undefined
    ? ["what is held unacknowledged, and dead letters that a queue could not hand on yet: give --management"]
    : []
