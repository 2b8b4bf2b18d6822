/**
 * Writes the fields of AMQP 0-9-1 into a buffer (https://www.rabbitmq.com/amqp-0-9-1-protocol.pdf, 4.2; tables as in
 * https://www.rabbitmq.com/amqp-0-9-1-errata.html). It does not check for room: the caller makes it.
 */
import type { Headers } from "../../bus/port/Broker.ts"

export class FieldWriter {
  /** The buffer and the position in it; set before anything is written. */
  bytes: Buffer = Buffer.alloc(0)
  at = 0

  uint8(value: number): void {
    this.bytes[this.at++] = value
  }

  uint16(value: number): void {
    const { at, bytes } = this
    bytes[at] = value >>> 8
    bytes[at + 1] = value
    this.at = at + 2
  }

  uint32(value: number): void {
    this.putUint32(value, this.at)
    this.at += 4
  }

  /** Writes at another place and stays where it is. */
  putUint32(value: number, at: number): void {
    const { bytes } = this
    bytes[at] = value >>> 24
    bytes[at + 1] = value >>> 16
    bytes[at + 2] = value >>> 8
    bytes[at + 3] = value
  }

  /** A text of up to 255 bytes behind its length. */
  shortText(value: string): void {
    if (typeof value !== "string") throw new TypeError("a property is not a text")
    const length = this.at++
    const bytes = this.text(value)
    if (bytes > 255) throw new TypeError("a property has more than 255 bytes")
    this.bytes[length] = bytes
  }

  table(headers: Headers): void {
    const from = this.at
    this.at += 4
    for (const name of Object.keys(headers)) {
      const value: unknown = headers[name]
      if (value === undefined) continue
      const length = this.at++
      const bytes = this.text(name)
      if (bytes > 255) throw new RangeError("the name of a header has more than 255 bytes")
      this.bytes[length] = bytes
      this.field(value)
    }
    this.putUint32(this.at - from - 4, from)
  }

  /** Writes the bytes of a text and returns how many; character by character, because most texts are short and ASCII. */
  private text(value: string): number {
    const { at: from, bytes } = this
    let at = from
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) {
        at = from + bytes.write(value, from)
        break
      }
      bytes[at++] = code
    }
    this.at = at
    return at - from
  }

  private field(value: unknown): void {
    switch (typeof value) {
      case "string": {
        this.uint8(0x53) // S
        const length = this.at
        this.at += 4
        return this.putUint32(this.text(value), length)
      }
      case "boolean":
        this.uint8(0x74) // t
        return this.uint8(value ? 1 : 0)
      case "number":
        return this.number(value)
      default:
        throw new TypeError("a header is not a text, a number or a boolean")
    }
  }

  /** In the smallest type that holds it, as amqplib does. */
  private number(value: number): void {
    const { bytes } = this
    const at = this.at + 1
    if (value >= 2 ** 63 || (Math.abs(value) < 2 ** 50 && !Number.isInteger(value))) {
      this.uint8(0x64) // d
      this.at = bytes.writeDoubleBE(value, at)
    } else if (value >= -0x80 && value < 0x80) {
      this.uint8(0x62) // b
      this.at = bytes.writeInt8(value, at)
    } else if (value >= -0x8000 && value < 0x8000) {
      this.uint8(0x73) // s
      this.at = bytes.writeInt16BE(value, at)
    } else if (value >= -0x80000000 && value < 0x80000000) {
      this.uint8(0x49) // I
      this.at = bytes.writeInt32BE(value, at)
    } else {
      this.uint8(0x6c) // l
      this.at = bytes.writeBigInt64BE(BigInt(value), at)
    }
  }
}
