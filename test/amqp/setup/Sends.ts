/** Messages, and sends that record every outcome. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { type Address, inFlight, type Outgoing, type SendOutcome } from "../../../src/bus/port/Broker.ts"
import type { Service } from "./OpenBroker.ts"
import { until } from "./Until.ts"

let sent = 0

export const outgoing = (
  to: Address,
  more: Partial<Omit<Outgoing, "properties">> & { readonly properties?: Partial<Outgoing["properties"]> } = {}
): Outgoing => ({
  to,
  key: undefined,
  body: Buffer.from("{}"),
  headers: {},
  ...more,
  properties: {
    messageId: `m-${++sent}`,
    type: "t",
    timestamp: Date.now(),
    appId: "test",
    contentType: "application/json",
    ...more.properties
  }
})

export const event = (name: string): Address => ({ _tag: "Event", name })

export const copyTo = (name: string, seconds = 0): Address => ({ _tag: "Subscriber", name, seconds })

export const deadLetterOf = (subscriber: string): Address => ({ _tag: "DeadLetter", subscriber })

export interface Sent {
  readonly id: string
  /** One, unless there is a bug. */
  readonly outcomes: Array<SendOutcome>
}

/** Sends now and records every call of `done`. */
export const post = (broker: Service, message: Outgoing): Sent => {
  const outcomes: Array<SendOutcome> = []
  broker.send(inFlight(message, (outcome) => void outcomes.push(outcome)))
  return { id: message.properties.messageId, outcomes }
}

export const send = (broker: Service, message: Outgoing): Effect.Effect<SendOutcome> =>
  Effect.callback((resume) => broker.send(inFlight(message, (outcome) => resume(Effect.succeed(outcome)))))

/** Sends a new message again and again until one is confirmed. */
export const sendUntilConfirmed = (broker: Service, make: () => Outgoing) =>
  Effect.repeat(
    Effect.tap(
      Effect.suspend(() => send(broker, make())),
      (outcome) => (outcome._tag === "Confirmed" ? Effect.void : Effect.sleep(20))
    ),
    {
      until: (outcome) => outcome._tag === "Confirmed"
    }
  )

export const answered = (posts: ReadonlyArray<Sent>) =>
  until(
    () => `${posts.filter(({ outcomes }) => outcomes.length > 0).length} of ${posts.length} answered`,
    () => posts.every(({ outcomes }) => outcomes.length > 0)
  )

/** Each send was answered exactly once. */
export const assertOnce = (posts: ReadonlyArray<Sent>): void => {
  assert.deepStrictEqual(
    posts.filter(({ outcomes }) => outcomes.length !== 1),
    []
  )
}

export const idsOf = (posts: ReadonlyArray<Sent>, tag: SendOutcome["_tag"]): ReadonlyArray<string> =>
  posts.filter(({ outcomes }) => outcomes[0]?._tag === tag).map(({ id }) => id)

/** Sends this many messages in small batches. */
export const sendMany = (broker: Service, name: string, posts: Array<Sent>, count: number) =>
  Effect.gen(function* () {
    for (let n = 0; n < count; n += 20) {
      for (let i = 0; i < 20; i++)
        posts.push(post(broker, outgoing(event(name), { key: `k${i}`, body: Buffer.alloc(500) })))
      yield* Effect.promise(() => new Promise(setImmediate))
    }
  })

export const assertStored = (posts: ReadonlyArray<Sent>, stored: ReadonlySet<string>): void => {
  assertOnce(posts)
  assert.deepStrictEqual(
    idsOf(posts, "Confirmed").filter((id) => !stored.has(id)),
    [],
    "confirmed and not stored"
  )
  assert.deepStrictEqual(
    idsOf(posts, "NotSent").filter((id) => stored.has(id)),
    [],
    "not sent and yet stored"
  )
}
