/** The method frame, with which a publish begins: it is the same for all messages to one exchange and routing key. */

/** Bytes before the contents of a frame: type, channel and size. */
export const frameHeader = 7
/** Bytes behind them: the mark. */
export const frameEnd = 1
export const frameEndMark = 0xce
const mandatory = 1

/**
 * The method frame of a mandatory publish on channel 0; the channel is put in later. Undefined when the exchange or the
 * routing key has more than 255 bytes.
 */
export const publish = (exchange: string, routingKey: string): Buffer | undefined => {
  const [to, key] = [Buffer.from(exchange), Buffer.from(routingKey)]
  if (to.length > 255 || key.length > 255) return undefined
  const frame = Buffer.alloc(frameHeader + 9 + to.length + key.length + frameEnd)
  frame[0] = 1
  frame.writeUInt32BE(frame.length - frameHeader - frameEnd, 3)
  // Class 60, method 40; two reserved bytes follow.
  frame.writeUInt32BE(0x003c0028, frameHeader)
  let at = frameHeader + 6
  for (const text of [to, key]) {
    frame[at] = text.length
    frame.set(text, at + 1)
    at += 1 + text.length
  }
  frame[at] = mandatory
  frame[at + 1] = frameEndMark
  return frame
}
