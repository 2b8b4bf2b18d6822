/** How a publish begins on the wire: the frame of its method, which is the same for all that go the same way. */

/** Type, channel and size of a frame. */
export const frameHeader = 7
/** The mark behind it. */
export const frameEnd = 1
export const frameEndMark = 0xce
const mandatory = 1

/**
 * The frame of a mandatory publish, for any channel: the number of one is put in later. Undefined when the
 * exchange or the routing key has more than 255 bytes.
 */
export const publish = (exchange: string, routingKey: string): Buffer | undefined => {
  const [to, key] = [Buffer.from(exchange), Buffer.from(routingKey)]
  if (to.length > 255 || key.length > 255) return undefined
  const frame = Buffer.alloc(frameHeader + 9 + to.length + key.length + frameEnd)
  frame[0] = 1
  frame.writeUInt32BE(frame.length - frameHeader - frameEnd, 3)
  // Class 60, method 40, and two bytes that are reserved.
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
