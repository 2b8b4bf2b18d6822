/**
 * The form of events in Redis. Every later version of this library must read it.
 *
 * A last known event is the text `1:<time>:<bytes of id>:<id><body>`. A history is a sorted set: the
 * score is the time, a member is `<id><separator><body>`. Members of one score are ordered by their
 * bytes, so a set is in the order of events by itself, and the same event again is the same member.
 */
import type { Remembered } from "../../bus/port/CacheStore.ts"
import { bytesOf } from "../../event/Body.ts"

/** Undefined when this library did not write the text. */
export const parseLast = (value: Buffer): Remembered | undefined => {
  const head = /^1:(-?\d+):(\d+):/.exec(value.toString("latin1", 0, 64))
  if (head === null) return undefined
  const from = head[0].length
  const to = from + Number(head[2])
  return to > value.length
    ? undefined
    : { time: Number(head[1]), id: value.toString("utf8", from, to), body: value.subarray(to) }
}

// Below every other byte, so that an id sorts before longer ids that begin with it.
const separator = Buffer.from([0, 1])
const zero = Buffer.from([0, 0xff])

export const member = ({ body, id }: Pick<Remembered, "body" | "id">): Buffer => {
  const parts = id.split("\0").flatMap((part, i) => (i === 0 ? [Buffer.from(part)] : [zero, Buffer.from(part)]))
  return Buffer.concat([...parts, separator, bytesOf(body)])
}

/** Undefined when this library did not write it. */
export const parseMember = (value: Buffer, score: Buffer): Remembered | undefined => {
  const time = Number(score.toString("latin1"))
  const end = value.indexOf(separator)
  if (end === -1 || !Number.isFinite(time)) return undefined
  const id = value.toString("utf8", 0, end)
  return { time, id: id.includes("\0") ? unescaped(value.subarray(0, end)) : id, body: value.subarray(end + 2) }
}

const unescaped = (id: Buffer): string => id.toString("latin1").split("\0\u00ff").map(utf8).join("\0")
const utf8 = (part: string): string => Buffer.from(part, "latin1").toString("utf8")
