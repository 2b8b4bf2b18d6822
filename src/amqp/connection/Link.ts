/** One life of a connection: everything that was opened on it ends with it. */
import * as Effect from "effect/Effect"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { ConnectionFailed } from "../../bus/port/BrokerReason.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import * as BoundedClose from "./BoundedClose.ts"
import type { Call } from "./Call.ts"
import type { OpenConnection } from "./Dial.ts"
import type { SecretRenewal } from "./SecretRenewal.ts"

export interface Link extends OpenConnection {
  readonly secret: SecretRenewal
  /** Why it counts as down although it is open; undefined while it answers. */
  readonly silence: () => string | undefined
  /** Counts the lives of the connection. */
  readonly epoch: number
  readonly call: Call
}

const closeMillis = 1000

/** Whether the connection is lost. A loss ends or destroys the socket before amqplib reports it. */
export const isLost = ({ model }: OpenConnection): boolean => {
  const stream = AmqplibInternals.socketOf(model)
  return stream.writableEnded || stream.destroyed
}

export const lost = ({ address }: OpenConnection, detail: string): BrokerError =>
  new BrokerError({ reason: new ConnectionFailed({ address, detail }) })

/** Runs on a link, and once more with fresh credentials if the user has no right to it. */
export const withRights = <A, R>(
  link: Link,
  use: (link: Link) => Effect.Effect<A, BrokerError, R>
): Effect.Effect<A, BrokerError, R> =>
  Effect.suspend(() => {
    const version = link.secret.version()
    return Effect.catchIf(
      use(link),
      ({ reason }) => reason._tag === "Permission",
      (error) => Effect.flatMap(link.secret.renew(version), (renewed) => (renewed ? use(link) : Effect.fail(error)))
    )
  })

/** Closes politely for a second, then destroys the socket. */
export const close = ({ model }: OpenConnection): Effect.Effect<void> =>
  Effect.andThen(
    BoundedClose.closeWithin(closeMillis, () => model.close()),
    Effect.sync(() => AmqplibInternals.destroy(model))
  )
