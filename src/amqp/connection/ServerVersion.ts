/** What a version of RabbitMQ does differently, where nothing else shows it. */
import * as Predicate from "effect/Predicate"
import type { OpenConnection } from "./Dial.ts"

/**
 * Whether quorum queues count in `x-acquired-count` how often a message was taken: from 4.3 on. There `x-delivery-count`
 * counts failures only, and one that a publisher sent stays on a message that came back without a failure.
 */
export const countsAcquired = ({ model }: OpenConnection): boolean => {
  const { version } = model.connection.serverProperties
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(Predicate.isString(version) ? version : "") ?? []
  return Number(major) > 4 || (Number(major) === 4 && Number(minor) >= 3)
}

/**
 * Whether deliveries of a cancelled consumer can be given back without counting against them: from 4.3 on only those
 * count that are lost with their channel. A server of another make counts, as far as is known here.
 */
export const givesBackFreely = (connection: OpenConnection): boolean =>
  connection.model.connection.serverProperties.product === "RabbitMQ" && countsAcquired(connection)

/**
 * Whether a consumer of a quorum queue may say how long it holds a delivery, by `x-consumer-timeout`: from 4.3 on. Earlier
 * versions take the argument and ignore it.
 */
export const takesConsumerTimeout = givesBackFreely
