/**
 * The body of an event in transit: its bytes, or the same as UTF-8 text. It keeps the form in which it was made until
 * the other one is needed, because a conversion costs more than most of what is done with a body.
 */
export type Body = Buffer | string

export const bytesOf = (body: Body): Buffer => (typeof body === "string" ? Buffer.from(body) : body)

export const textOf = (body: Body): string => (typeof body === "string" ? body : body.toString("utf8"))

/** Whether two bodies are the same bytes. */
export const isSame = (one: Body, other: Body): boolean => {
  if (typeof one === "string" && typeof other === "string") return one === other
  return bytesOf(one).equals(bytesOf(other))
}

/** Length in bytes. */
export const sizeOf = (body: Body): number => (typeof body === "string" ? Buffer.byteLength(body) : body.length)
