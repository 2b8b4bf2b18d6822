/** One question to RabbitMQ on a channel of its own: what it refuses closes that channel, and nothing else. */
import type { Channel } from "amqplib"
import * as Effect from "effect/Effect"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import type { OpenConnection } from "../connection/Dial.ts"

/** `code` is that of AMQP, 0 where there was none. */
export type Answer<A> =
  | { readonly _tag: "Done"; readonly value: A }
  | { readonly _tag: "Refused"; readonly code: number; readonly text: string }
  | { readonly _tag: "Silent" }

const ignore = (): void => {}

/** A connection, and how long an answer may take there. */
export interface Asked extends OpenConnection {
  readonly patience: number
}

export const attempt = <A>(
  { model, patience }: Asked,
  ask: (channel: Channel) => Promise<A>
): Effect.Effect<Answer<A>> =>
  Effect.promise(async (): Promise<Answer<A>> => {
    let reason: unknown
    try {
      const { channel, closed } = await AmqplibInternals.openChannel(model, () => model.createChannel())
      channel.on("error", (error: unknown) => void (reason = error))
      const early = closed()
      if (early !== undefined) return refusal(early)
      const value = await ask(channel)
      channel.close().catch(ignore)
      return { _tag: "Done", value }
    } catch (error) {
      return refusal(reason ?? error)
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.succeed<Answer<A>>({ _tag: "Silent" })
    })
  )

/** Questions at once: each has a channel. */
export const together = { concurrency: 16 }

/**
 * Asks all of these on one channel. Where nothing is refused, that is one round trip instead of one for each; otherwise
 * each is asked again on a channel of its own, since a refusal closes the channel and says nothing of the others.
 */
export const attemptAll = (
  connection: Asked,
  questions: ReadonlyArray<(channel: Channel) => Promise<unknown>>
): Effect.Effect<ReadonlyArray<Answer<unknown>>> =>
  questions.length === 0
    ? Effect.succeed([])
    : Effect.flatMap(
        attempt(connection, (channel) => {
          AmqplibInternals.pipelineCalls(channel)
          return Promise.all(questions.map((ask) => ask(channel)))
        }),
        (answer) =>
          answer._tag === "Done"
            ? Effect.succeed(answer.value.map((value) => ({ _tag: "Done", value })))
            : Effect.forEach(questions, (ask) => attempt(connection, ask), together)
      )

const refusal = (error: unknown): Answer<never> => {
  const text = error instanceof Error ? error.message : ""
  const given = error instanceof Error && "code" in error ? Number(error.code) : Number.NaN
  const code = Number.isInteger(given) ? given : Number(/\b(\d{3}) \(/.exec(text)?.[1] ?? 0)
  return { _tag: "Refused", code, text }
}

export const isDenied = (answer: Answer<unknown>): boolean => answer._tag === "Refused" && answer.code === 403
export const isMissing = (answer: Answer<unknown>): boolean => answer._tag === "Refused" && answer.code === 404

const nothing = Buffer.alloc(0)

/** Asks for the right to publish there, by a publish of nothing in a transaction that is rolled back. */
export const mayPublish = (exchange: string, routingKey: string) => async (channel: Channel) => {
  AmqplibInternals.pipelineCalls(channel)
  const begun = AmqplibInternals.beginTransaction(channel)
  channel.publish(exchange, routingKey, nothing)
  await Promise.all([begun, AmqplibInternals.rollBack(channel)])
}

/**
 * Asks for the right to read a queue. RabbitMQ looks at rights before it looks at arguments: one that is of the wrong
 * type is refused (406) only to who may read, and nothing is consumed.
 */
export const mayRead = (queue: string) => (channel: Channel) =>
  channel.consume(queue, ignore, { arguments: { "x-priority": "none" } })

/** Asks for the right to configure a queue, in the same way: no queue has a time to live below 0. */
export const mayConfigure = (queue: string) => (channel: Channel) =>
  channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum", "x-message-ttl": -1 } })

/** Asks for the right to bind a queue to an exchange, by taking away a binding that nobody has. */
export const mayBind = (queue: string, exchange: string) => (channel: Channel) =>
  channel.unbindQueue(queue, exchange, "eventbus-doctor.no-such-binding")
