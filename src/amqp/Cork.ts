/**
 * Frames that are written within one turn of the event loop leave in one system call instead of one
 * each. Nothing waits: the turn that wrote them sends them before it gives way to the next.
 */
import type { Duplex } from "node:stream"

/** Hooks the socket itself, since amqplib writes when it sees fit and not when a message is published. */
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
