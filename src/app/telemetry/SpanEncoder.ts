/**
 * Encodes spans as OTLP protobuf (https://opentelemetry.io/docs/specs/otlp/), byte for byte as Effect's own encoder
 * does. Effect's joins an array for each field, which costs several times as much as everything else about a span.
 *
 * Fields appear in reverse order because the writer fills its buffer from the end. Their numbers are those of
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto.
 */
import * as HttpBody from "effect/http/HttpBody"
import type * as OtlpResource from "effect/observability/OtlpResource"
import type * as OtlpSerialization from "effect/observability/OtlpSerialization"
import type * as OtlpTracer from "effect/observability/OtlpTracer"
import { ProtobufWriter } from "./ProtobufWriter.ts"

type ResourceSpans = OtlpTracer.TraceData["resourceSpans"][number]
type ScopeSpans = ResourceSpans["scopeSpans"][number]
type Span = ScopeSpans["spans"][number]
type SpanEvent = Span["events"][number]
type SpanLink = Span["links"][number]

const anyValue = (writer: ProtobufWriter, value: OtlpResource.AnyValue): void => {
  if (value.stringValue !== undefined && value.stringValue !== null) {
    writer.text(1, value.stringValue)
  } else if (value.boolValue !== undefined && value.boolValue !== null) {
    writer.integer(2, value.boolValue ? 1 : 0)
  } else if (value.intValue !== undefined && value.intValue !== null) {
    writer.integer(3, value.intValue)
  } else if (value.doubleValue !== undefined && value.doubleValue !== null) {
    writer.double(4, value.doubleValue)
  } else if (value.arrayValue !== undefined) {
    const mark = writer.mark()
    writer.repeated(1, value.arrayValue.values, anyValue)
    writer.message(5, mark)
  } else if (value.kvlistValue !== undefined) {
    const mark = writer.mark()
    writer.repeated(1, value.kvlistValue.values, keyValue)
    writer.message(6, mark)
  } else if (value.bytesValue !== undefined) {
    writer.raw(7, value.bytesValue)
  }
}

const keyValue = (writer: ProtobufWriter, { key, value }: OtlpResource.KeyValue): void => {
  const mark = writer.mark()
  anyValue(writer, value)
  writer.message(2, mark)
  writer.text(1, key)
}

const spanEvent = (writer: ProtobufWriter, event: SpanEvent): void => {
  writer.count(4, event.droppedAttributesCount)
  writer.repeated(3, event.attributes, keyValue)
  writer.text(2, event.name)
  writer.fixed64(1, event.timeUnixNano)
}

const spanLink = (writer: ProtobufWriter, link: SpanLink): void => {
  writer.count(5, link.droppedAttributesCount)
  writer.repeated(4, link.attributes, keyValue)
  writer.hex(2, link.spanId)
  writer.hex(1, link.traceId)
}

const span = (writer: ProtobufWriter, span: Span): void => {
  const mark = writer.mark()
  writer.integer(3, span.status.code)
  writer.optionalText(2, span.status.message)
  writer.message(15, mark)
  writer.count(14, span.droppedLinksCount)
  writer.repeated(13, span.links, spanLink)
  writer.count(12, span.droppedEventsCount)
  writer.repeated(11, span.events, spanEvent)
  writer.count(10, span.droppedAttributesCount)
  writer.repeated(9, span.attributes, keyValue)
  writer.fixed64(8, span.endTimeUnixNano)
  writer.fixed64(7, span.startTimeUnixNano)
  writer.integer(6, span.kind)
  writer.text(5, span.name)
  if (span.parentSpanId !== undefined) writer.hex(4, span.parentSpanId)
  writer.hex(2, span.spanId)
  writer.hex(1, span.traceId)
}

const scopeSpans = (writer: ProtobufWriter, { schemaUrl, scope, spans }: ScopeSpans): void => {
  writer.optionalText(3, schemaUrl)
  writer.repeated(2, spans, span)
  const mark = writer.mark()
  writer.optionalText(2, scope.version)
  writer.text(1, scope.name)
  writer.message(1, mark)
}

const resourceSpans = (writer: ProtobufWriter, { resource, schemaUrl, ...rest }: ResourceSpans): void => {
  writer.optionalText(3, schemaUrl)
  writer.repeated(2, rest.scopeSpans, scopeSpans)
  const mark = writer.mark()
  writer.count(2, resource.droppedAttributesCount)
  writer.repeated(1, resource.attributes, keyValue)
  writer.message(1, mark)
}

/** An encoder with a buffer of its own, of `firstBytes` at first. What it returns shares no memory with it. */
export const make = (firstBytes?: number): ((data: OtlpTracer.TraceData) => Uint8Array<ArrayBuffer>) => {
  const writer = new ProtobufWriter(firstBytes)
  return (data) => {
    writer.reset()
    writer.repeated(1, data.resourceSpans, resourceSpans)
    return writer.finish()
  }
}

/** What `OtlpSerialization.layerProtobuf` does for traces. */
export const traces = (): OtlpSerialization.OtlpSerialization["Service"]["traces"] => {
  const encode = make()
  return (data) => HttpBody.uint8Array(encode(data), "application/x-protobuf")
}
