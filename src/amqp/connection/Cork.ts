/**
 * Sends the frames of one turn of the event loop in one system call instead of one each. Nothing waits longer: they
 * are sent before the turn ends.
 */
import type { Duplex } from "node:stream"

/** Replaces the `write` of the socket, because amqplib writes later than a message is published. */
export const perTurn = (stream: Duplex): void => {
  const write = stream.write
  let corked = false
  const release = (): void => {
    corked = false
    stream.uncork()
  }
  Object.defineProperty(stream, "write", {
    configurable: true,
    writable: true,
    value: (...args: Parameters<Duplex["write"]>): boolean => {
      if (!corked) {
        corked = true
        stream.cork()
        process.nextTick(release)
      }
      return write.apply(stream, args)
    }
  })
}
