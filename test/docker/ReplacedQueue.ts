/** A queue that another client declares with other arguments, so that its subscriber fails for good. */
import { connect } from "amqplib"

/** Deletes a queue and declares a classic one; false when its subscriber declared it in between. */
export const replaceQueue = async (url: string, queue: string): Promise<boolean> => {
  const connection = await connect(url)
  connection.on("error", () => {})
  try {
    const channel = await connection.createChannel()
    channel.on("error", () => {})
    await channel.deleteQueue(queue)
    await channel.assertQueue(queue, { arguments: { "x-queue-type": "classic" } })
    return true
  } catch {
    return false
  } finally {
    await connection.close().catch(() => {})
  }
}
