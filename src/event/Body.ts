/**
 * The body of an event on its way: the bytes, or the text that they spell in UTF-8. It stays what it was made
 * as until somebody needs the other, since to make one of the other costs more than most that is done to it.
 */
export type Body = Buffer | string

export const bytesOf = (body: Body): Buffer => (typeof body === "string" ? Buffer.from(body) : body)

export const textOf = (body: Body): string => (typeof body === "string" ? body : body.toString("utf8"))

/** Whether both are the same bytes. */
export const isSame = (one: Body, other: Body): boolean => {
  if (typeof one === "string" && typeof other === "string") return one === other
  return bytesOf(one).equals(bytesOf(other))
}

/** How many bytes it has. */
export const sizeOf = (body: Body): number => (typeof body === "string" ? Buffer.byteLength(body) : body.length)
