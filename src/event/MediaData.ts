/**
 * Data that arrives as bytes beside its media type: in `data_base64`, or as the body of a CloudEvent in binary mode
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md#31-handling-of-data).
 */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { quoted } from "./EventError.ts"
import * as Json from "./Json.ts"
import * as Limits from "./Limits.ts"
import * as SchemaModule from "./SchemaModule.ts"

/** JSON is parsed, text becomes a string, and anything else stays bytes. A failure says what is wrong with the data. */
export const read = (bytes: Buffer, contentType: string, limits: Limits.Limits): Result.Result<unknown, string> => {
  const type = mediaTypeOf(contentType)
  if (isJson(type)) return readJson(bytes, limits)
  if (type.startsWith("text/")) return readText(bytes, contentType)
  // Not a Buffer, whose memory may belong to a whole read of the connection.
  return Result.succeed(new Uint8Array(bytes))
}

/** The media type without its parameters. */
export const mediaTypeOf = (contentType: string): string => (contentType.split(";", 1)[0] ?? "").trim().toLowerCase()

/** With the charsets that are common, so that they are not looked up for each event. */
const notEncoded = new Set(["", "identity", "binary", "7bit", "8bit", "utf-8", "utf8", "us-ascii"])

/**
 * Whether this content encoding says that a body is encoded, as gzip does: as bytes it would pass for something else, or
 * for broken JSON. Some clients write their charset there.
 */
export const isEncoded = (contentEncoding: string): boolean => {
  const name = contentEncoding.trim().toLowerCase()
  return !notEncoded.has(name) && !isCharset(name)
}

const isCharset = (name: string): boolean => {
  try {
    return new TextDecoder(name).encoding !== ""
  } catch {
    return false
  }
}

const isJson = (type: string): boolean => /^[^/]+\/(?:json|[^/]+\+json)$/.test(type)

const readJson = (bytes: Buffer, limits: Limits.Limits): Result.Result<unknown, string> => {
  const written = bytes.toString("utf8")
  const fault = Limits.textFault(bytes, written, limits)
  return fault === undefined ? Json.parse(written, "the data") : Result.fail(fault)
}

const readText = (bytes: Buffer, contentType: string): Result.Result<string, string> => {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1] ?? "utf-8"
  try {
    return Result.succeed(new TextDecoder(charset, { fatal: true }).decode(bytes))
  } catch {
    return Result.fail(`the data is not text in the charset "${quoted(charset)}": send UTF-8`)
  }
}

/** The bytes of base64 with its padding (https://www.rfc-editor.org/rfc/rfc4648#section-4); undefined for other texts. */
export const fromBase64 = (encoded: string): Buffer | undefined => {
  const bytes = Buffer.from(encoded, "base64")
  // The decoder skips what it does not know.
  return bytes.toString("base64") === encoded ? bytes : undefined
}

/**
 * What decodes bytes by a schema: the schema itself if bytes are its encoded form, or that of its values if they are
 * bytes, as those of Uint8ArrayFromBase64. Undefined for a schema of anything else.
 */
export const schemaOfBytes = <S extends Schema.Top>(schema: S): S | Schema.toType<S> | undefined => {
  const { Schema, SchemaAST } = SchemaModule.modules()
  if (takesBytes(SchemaAST.toEncoded(schema.ast))) return schema
  return takesBytes(SchemaAST.toType(schema.ast)) ? Schema.toType(schema) : undefined
}

export const unwantedBytes =
  "expected JSON or text, got bytes: send JSON, and its media type as `datacontenttype` or as the content type"

/** Whether a schema may mean bytes. An object without required fields accepts them too, but does not mean them. */
const takesBytes = (ast: SchemaAST.AST): boolean =>
  ast._tag === "Declaration" ||
  ast._tag === "Unknown" ||
  ast._tag === "Any" ||
  (ast._tag === "Union" && ast.types.some(takesBytes))
