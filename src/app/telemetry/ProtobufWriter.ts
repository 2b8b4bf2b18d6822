/**
 * A protobuf writer (https://protobuf.dev/programming-guides/encoding/) that fills its buffer from the end to the
 * start: the length that precedes a message is known by the time it has to be written, so nothing is measured or
 * copied twice.
 *
 * Fields are therefore written in reverse order. A nested message is `mark()`, its fields from last to first, then
 * `message(field, mark)`. Field numbers above 15 are not supported: their tag would take two bytes.
 */

/** A batch of 512 spans of the bus takes about half of it. */
const usualBytes = 512 * 1024
/** A buffer that grew beyond this size is not kept for the next batch. */
const maxKeptBytes = 4 * usualBytes
/** For text up to this length, a loop is faster than a call that leaves JavaScript. */
const shortText = 64
/** Longest tag (one byte for these field numbers) and length together. */
const headerBytes = 10

/** Wire types: how a field's value follows its tag. */
const varintType = 0
const fixed64Type = 1
const lengthPrefixedType = 2

const notHex = 255
const nibbles = new Uint8Array(256).fill(notHex)
for (let i = 0; i < 16; i++) {
  const digit = i.toString(16)
  nibbles[digit.charCodeAt(0)] = i
  nibbles[digit.toUpperCase().charCodeAt(0)] = i
}

/** A class, not closures: it is called for every field of every span. */
export class ProtobufWriter {
  private bytes: Buffer<ArrayBuffer> = Buffer.alloc(0)
  private view: DataView<ArrayBuffer> = new DataView(this.bytes.buffer)
  /** Where what is written so far begins. */
  private start = 0
  private readonly firstBytes: number

  /** `firstBytes` is the size of its buffer at first. */
  constructor(firstBytes: number = usualBytes) {
    this.firstBytes = firstBytes
  }

  /** Starts over. */
  reset(): void {
    this.start = this.bytes.length
  }

  /** What was written since `reset`, in memory of its own. */
  finish(): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(this.bytes.subarray(this.start))
    if (this.bytes.length > maxKeptBytes) this.use(Buffer.alloc(0))
    return copy
  }

  /** The number of bytes written: taken before the fields of a message, to be passed to `message` after them. */
  mark(): number {
    return this.bytes.length - this.start
  }

  /** Ends a nested message: writes the length of everything since the mark, and the tag. */
  message(field: number, mark: number): void {
    this.reserve(headerBytes)
    this.varint(this.mark() - mark)
    this.tag(field, lengthPrefixedType)
  }

  /** A repeated message. The last value is written first. */
  repeated<A>(field: number, values: ReadonlyArray<A>, write: (writer: ProtobufWriter, value: A) => void): void {
    for (let i = values.length - 1; i >= 0; i--) {
      const mark = this.mark()
      // The index is in bounds, and these lists have no holes.
      write(this, values[i] as A)
      this.message(field, mark)
    }
  }

  /** An integer of up to 64 bits; decimal digits where it exceeds the safe range. */
  integer(field: number, value: number | string): void {
    this.reserve(headerBytes)
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) {
      this.varint(value)
    } else {
      const wide = BigInt(value)
      this.wideVarint(wide < 0n ? BigInt.asUintN(64, wide) : wide)
      this.reserve(1)
    }
    this.tag(field, varintType)
  }

  /** A count, left out when it is zero. */
  count(field: number, value: number): void {
    if (value > 0) this.integer(field, value)
  }

  /** A `fixed64` of decimal digits, such as nanoseconds since the epoch. */
  fixed64(field: number, digits: string): void {
    this.reserve(8 + headerBytes)
    this.start -= 8
    this.view.setBigUint64(this.start, BigInt(digits), true)
    this.tag(field, fixed64Type)
  }

  double(field: number, value: number): void {
    this.reserve(8 + headerBytes)
    this.start -= 8
    this.view.setFloat64(this.start, value, true)
    this.tag(field, fixed64Type)
  }

  text(field: number, given: string): void {
    // Untyped code may pass a key that is not a string, and Effect's writer accepts it.
    const value = String(given)
    const mark = this.mark()
    if (!this.shortAscii(value)) {
      const size = Buffer.byteLength(value)
      this.reserve(size)
      this.start -= size
      this.bytes.write(value, this.start, size)
    }
    this.message(field, mark)
  }

  /** Text, left out when it is empty. */
  optionalText(field: number, value: string | undefined): void {
    if (value !== undefined && value !== "") this.text(field, value)
  }

  raw(field: number, value: Uint8Array): void {
    const mark = this.mark()
    this.reserve(value.length)
    this.start -= value.length
    this.bytes.set(value, this.start)
    this.message(field, mark)
  }

  /** Bytes given as hexadecimal digits. */
  hex(field: number, value: string): void {
    const mark = this.mark()
    const size = value.length >> 1
    this.reserve(size)
    this.start -= size
    const { bytes, start } = this
    for (let i = 0; i < size; i++) {
      const high = nibbles[value.charCodeAt(2 * i)] ?? notHex
      const low = nibbles[value.charCodeAt(2 * i + 1)] ?? notHex
      // Ids that are not hexadecimal come from other services: do as Effect's writer does.
      bytes[start + i] =
        high === notHex || low === notHex ? Number.parseInt(value.slice(2 * i, 2 * i + 2), 16) : (high << 4) | low
    }
    this.message(field, mark)
  }

  private use(buffer: Buffer<ArrayBuffer>): void {
    this.bytes = buffer
    this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
    this.start = buffer.length
  }

  /** Must be called before every write. */
  private reserve(size: number): void {
    if (this.start < size) this.grow(size)
  }

  private grow(size: number): void {
    const written = this.bytes.subarray(this.start)
    this.use(Buffer.allocUnsafeSlow(Math.max(this.firstBytes, 2 * this.bytes.length, written.length + size)))
    this.start -= written.length
    this.bytes.set(written, this.start)
  }

  /** Room is reserved by the caller. */
  private tag(field: number, wireType: number): void {
    this.bytes[--this.start] = (field << 3) | wireType
  }

  /** Room is reserved by the caller. */
  private varint(value: number): void {
    if (value < 0x80) {
      this.bytes[--this.start] = value
    } else {
      this.varint(Math.floor(value / 0x80))
      this.bytes[--this.start] = (value % 0x80) | 0x80
    }
  }

  private wideVarint(value: bigint): void {
    const isLast = value < 0x80n
    if (!isLast) this.wideVarint(value >> 7n)
    this.reserve(1)
    this.bytes[--this.start] = Number(value & 0x7fn) | (isLast ? 0 : 0x80)
  }

  /** Writes short ASCII text; returns false, with nothing written, for any other. */
  private shortAscii(value: string): boolean {
    const { length } = value
    if (length > shortText) return false
    this.reserve(length)
    const into = this.bytes
    const start = this.start - length
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) return false
      into[start + i] = code
    }
    this.start = start
    return true
  }
}
