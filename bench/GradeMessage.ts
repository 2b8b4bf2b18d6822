/**
 * The message that every adapter sends and reads: the event of the benchmark as data, as the CloudEvents bytes that
 * the library writes, and its AMQP properties. A peer that sent less would not be comparable.
 */
import { randomUUID } from "node:crypto"

export const namespace = "eduflow"
export const exchange = `${namespace}.events`
export const queueOf = (subscriber: string): string => `${namespace}.sub.${subscriber}`
export const source = "bench"

export interface Grade {
  readonly studentId: string
  readonly courseId: string
  readonly term: string
  readonly grade: number
  readonly passed: boolean
  readonly comment: string
  /** `performance.now()` of the publisher, for the latency scenario. */
  readonly sentAt: number
}

/** The only event that is routed to a subscriber. */
export const typeOf = (subscriber: string): string => `${subscriber}.posted`

export interface DataOptions {
  readonly keys?: number
  /** Length of the comment, for larger bodies. */
  readonly padding?: number
}

const comments = new Map<number, string>()

export const grade = (index: number, { keys = 1000, padding = 40 }: DataOptions = {}): Grade => {
  let comment = comments.get(padding)
  if (comment === undefined) comments.set(padding, (comment = "x".repeat(padding)))
  return {
    studentId: `student-${index % keys}`,
    courseId: "course-databases-2",
    term: "2027-spring",
    grade: index % 100,
    passed: index % 100 >= 50,
    comment,
    sentAt: performance.now()
  }
}

export interface Message {
  readonly body: Buffer
  readonly id: string
  readonly seconds: number
}

/** The same bytes, written by hand. */
export const message = (type: string, content: Grade, keyed = false): Message => {
  const id = randomUUID()
  const now = new Date()
  const body = Buffer.from(
    JSON.stringify({
      specversion: "1.0",
      source,
      type,
      datacontenttype: "application/json",
      dataschema: `urn:event:${type}:1`,
      id,
      time: now.toISOString(),
      ...(keyed && { subject: content.studentId }),
      data: content
    })
  )
  return { body, id, seconds: Math.floor(now.getTime() / 1000) }
}

/** Options in amqplib's terms, which three of the peers share. */
export const properties = (type: string, { id, seconds }: Message) => ({
  persistent: true,
  mandatory: true,
  contentType: "application/cloudevents+json",
  contentEncoding: "utf-8",
  messageId: id,
  type,
  timestamp: seconds,
  appId: source,
  headers: {}
})

/** The same data, read by hand. */
export const read = (body: Uint8Array): Grade => {
  const envelope: { readonly data: Grade } = JSON.parse(
    Buffer.from(body.buffer, body.byteOffset, body.length).toString()
  )
  return envelope.data
}
