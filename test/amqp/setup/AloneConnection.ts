/** What a connection needs that is the only one of its broker. */
import { Effect } from "effect"
import { Addresses } from "../../../src/amqp/connection/Addresses.ts"
import type { Surroundings } from "../../../src/amqp/connection/Connection.ts"
import * as OutageLog from "../../../src/bus/support/OutageLog.ts"

export const alone = Effect.map(OutageLog.make("RabbitMQ", ""), (outages): Surroundings => ({
  outages,
  addresses: new Addresses(() => 0),
  traffic: undefined
}))
