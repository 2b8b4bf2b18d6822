/** What a return of a delivery counts, which depends on the version of the server. */
import type { ChannelModel } from "amqplib"

/**
 * How much the delivery count of an event without order grows when its consumer closes: from RabbitMQ 4.3 on nothing, since
 * the library gives it back there before it closes.
 */
export const countOfReturn = ({ connection }: ChannelModel): 0 | 1 => {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(String(connection.serverProperties.version)) ?? []
  return Number(major) > 4 || (Number(major) === 4 && Number(minor) >= 3) ? 0 : 1
}
