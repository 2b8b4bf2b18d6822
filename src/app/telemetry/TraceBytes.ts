/**
 * Spans as protobuf, byte for byte what Effect's own writer makes of them. That one joins an array for each
 * field, which costs several times what everything else about a span does. This one writes from the end of a
 * buffer to its start: the length that goes before a message is known when its turn comes.
 */
import { HttpBody } from "effect/http"
import type { OtlpResource, OtlpSerialization, OtlpTracer } from "effect/observability"

type ResourceSpans = OtlpTracer.TraceData["resourceSpans"][number]
type ScopeSpans = ResourceSpans["scopeSpans"][number]
type Span = ScopeSpans["spans"][number]
type SpanEvent = Span["events"][number]
type SpanLink = Span["links"][number]

/** A batch of 512 spans of ours is about half of it. */
const usual = 512 * 1024
/** A buffer that grew beyond it is not kept for the next batch. */
const keptSize = 4 * usual
/** Of a text up to here, a loop is faster than a call out of JavaScript. */
const shortText = 64
/** A tag, which is one byte for all fields of these messages, and a length. */
const headSize = 10

/** How a field follows its tag. */
const form = { varint: 0, fixed64: 1, sized: 2 } as const
const tag = (field: number, how: number): number => (field << 3) | how

const notHex = 255
const nibbles = new Uint8Array(256).fill(notHex)
for (let i = 0; i < 16; i++) {
  const digit = i.toString(16)
  nibbles[digit.charCodeAt(0)] = i
  nibbles[digit.toUpperCase().charCodeAt(0)] = i
}

/** A writer with a buffer of its own, of this size at first; what it returns is shared with nobody. */
export const make = (firstSize = usual): ((data: OtlpTracer.TraceData) => Uint8Array<ArrayBuffer>) => {
  let bytes = Buffer.alloc(0)
  let view = new DataView(bytes.buffer)
  /** Where what is written so far begins. */
  let at = 0

  const take = (buffer: Buffer<ArrayBuffer>): void => {
    bytes = buffer
    view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
    at = buffer.length
  }

  const grow = (size: number): void => {
    const written = bytes.subarray(at)
    take(Buffer.allocUnsafeSlow(Math.max(firstSize, 2 * bytes.length, written.length + size)))
    at -= written.length
    bytes.set(written, at)
  }

  /** Has to be asked before anything is written. */
  const room = (size: number): void => {
    if (at < size) grow(size)
  }

  const written = (): number => bytes.length - at

  const varint = (value: number): void => {
    if (value < 0x80) {
      bytes[--at] = value
    } else {
      varint(Math.floor(value / 0x80))
      bytes[--at] = (value % 0x80) | 0x80
    }
  }

  const wideVarint = (value: bigint): void => {
    const isLast = value < 0x80n
    if (!isLast) wideVarint(value >> 7n)
    room(1)
    bytes[--at] = Number(value & 0x7fn) | (isLast ? 0 : 0x80)
  }

  /** Its length and its tag, before what was written since. */
  const head = (field: number, since: number): void => {
    room(headSize)
    varint(written() - since)
    bytes[--at] = tag(field, form.sized)
  }

  const whole = (field: number, value: number | string): void => {
    room(headSize)
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) {
      varint(value)
    } else {
      const wide = BigInt(value)
      wideVarint(wide < 0n ? BigInt.asUintN(64, wide) : wide)
      room(1)
    }
    bytes[--at] = tag(field, form.varint)
  }

  /** Whether it was short and of ASCII, and so is written. */
  const plain = (value: string): boolean => {
    const { length } = value
    if (length > shortText) return false
    room(length)
    const into = bytes
    const start = at - length
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) return false
      into[start + i] = code
    }
    at = start
    return true
  }

  const text = (field: number, given: string): void => {
    // Untyped code may give a key that is no text, and Effect takes it.
    const value = String(given)
    const since = written()
    if (!plain(value)) {
      const size = Buffer.byteLength(value)
      room(size)
      at -= size
      bytes.write(value, at, size)
    }
    head(field, since)
  }

  const optionalText = (field: number, value: string | undefined): void => {
    if (value !== undefined && value !== "") text(field, value)
  }

  const hex = (field: number, value: string): void => {
    const since = written()
    const size = value.length >> 1
    room(size)
    at -= size
    for (let i = 0; i < size; i++) {
      const high = nibbles[value.charCodeAt(2 * i)] ?? notHex
      const low = nibbles[value.charCodeAt(2 * i + 1)] ?? notHex
      // What is no hex comes from outside, and Effect makes something of it.
      bytes[at + i] =
        high === notHex || low === notHex ? Number.parseInt(value.slice(2 * i, 2 * i + 2), 16) : (high << 4) | low
    }
    head(field, since)
  }

  const nanos = (field: number, value: string): void => {
    room(8 + headSize)
    at -= 8
    view.setBigUint64(at, BigInt(value), true)
    bytes[--at] = tag(field, form.fixed64)
  }

  const count = (field: number, value: number): void => {
    if (value > 0) whole(field, value)
  }

  /** One message for each, the last first. */
  const each = <A>(field: number, values: ReadonlyArray<A>, write: (value: A) => void): void => {
    for (let i = values.length - 1; i >= 0; i--) {
      const since = written()
      // It is one of the list's: the index is in bounds, and what a list holds is never missing.
      write(values[i] as A)
      head(field, since)
    }
  }

  const anyValue = (value: OtlpResource.AnyValue): void => {
    if (value.stringValue !== undefined && value.stringValue !== null) {
      text(1, value.stringValue)
    } else if (value.boolValue !== undefined && value.boolValue !== null) {
      whole(2, value.boolValue ? 1 : 0)
    } else if (value.intValue !== undefined && value.intValue !== null) {
      whole(3, value.intValue)
    } else if (value.doubleValue !== undefined && value.doubleValue !== null) {
      room(8 + headSize)
      at -= 8
      view.setFloat64(at, value.doubleValue, true)
      bytes[--at] = tag(4, form.fixed64)
    } else if (value.arrayValue !== undefined) {
      const since = written()
      each(1, value.arrayValue.values, anyValue)
      head(5, since)
    } else if (value.kvlistValue !== undefined) {
      const since = written()
      each(1, value.kvlistValue.values, keyValue)
      head(6, since)
    } else if (value.bytesValue !== undefined) {
      const since = written()
      room(value.bytesValue.length)
      at -= value.bytesValue.length
      bytes.set(value.bytesValue, at)
      head(7, since)
    }
  }

  const keyValue = ({ key, value }: OtlpResource.KeyValue): void => {
    const since = written()
    anyValue(value)
    head(2, since)
    text(1, key)
  }

  const event = (event: SpanEvent): void => {
    count(4, event.droppedAttributesCount)
    each(3, event.attributes, keyValue)
    text(2, event.name)
    nanos(1, event.timeUnixNano)
  }

  const link = (link: SpanLink): void => {
    count(5, link.droppedAttributesCount)
    each(4, link.attributes, keyValue)
    hex(2, link.spanId)
    hex(1, link.traceId)
  }

  const span = (span: Span): void => {
    const since = written()
    whole(3, span.status.code)
    optionalText(2, span.status.message)
    head(15, since)
    count(14, span.droppedLinksCount)
    each(13, span.links, link)
    count(12, span.droppedEventsCount)
    each(11, span.events, event)
    count(10, span.droppedAttributesCount)
    each(9, span.attributes, keyValue)
    nanos(8, span.endTimeUnixNano)
    nanos(7, span.startTimeUnixNano)
    whole(6, span.kind)
    text(5, span.name)
    if (span.parentSpanId !== undefined) hex(4, span.parentSpanId)
    hex(2, span.spanId)
    hex(1, span.traceId)
  }

  const scopeSpans = ({ schemaUrl, scope, spans }: ScopeSpans): void => {
    optionalText(3, schemaUrl)
    each(2, spans, span)
    const since = written()
    optionalText(2, scope.version)
    text(1, scope.name)
    head(1, since)
  }

  const resourceSpans = ({ resource, schemaUrl, ...rest }: ResourceSpans): void => {
    optionalText(3, schemaUrl)
    each(2, rest.scopeSpans, scopeSpans)
    const since = written()
    count(2, resource.droppedAttributesCount)
    each(1, resource.attributes, keyValue)
    head(1, since)
  }

  return (data) => {
    at = bytes.length
    each(1, data.resourceSpans, resourceSpans)
    const copy = new Uint8Array(bytes.subarray(at))
    if (bytes.length > keptSize) take(Buffer.alloc(0))
    return copy
  }
}

/** What `OtlpSerialization.layerProtobuf` does for traces. */
export const traces = (): OtlpSerialization.OtlpSerialization["Service"]["traces"] => {
  const write = make()
  return (data) => HttpBody.uint8Array(write(data), "application/x-protobuf")
}
