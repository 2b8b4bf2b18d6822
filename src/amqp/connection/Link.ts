/** One life of a connection: everything that was opened on it ends with it. */
import * as Effect from "effect/Effect"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { ConnectionFailed } from "../../bus/port/BrokerReason.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import * as BoundedClose from "./BoundedClose.ts"
import type { Call } from "./Call.ts"
import type { OpenConnection } from "./Dial.ts"

export interface Link extends OpenConnection {
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

/** Closes politely for a second, then destroys the socket. */
export const close = ({ model }: OpenConnection): Effect.Effect<void> =>
  Effect.andThen(
    BoundedClose.closeWithin(closeMillis, () => model.close()),
    Effect.sync(() => AmqplibInternals.destroy(model))
  )
