/** The event of the benchmark as a contract of this library; apart, so that the peers load none of it. */
import { Schema } from "effect"
import { Event } from "../src/index.ts"
import type { Grade } from "./Wire.ts"

const data = Schema.Struct({
  studentId: Schema.String,
  courseId: Schema.String,
  term: Schema.String,
  grade: Schema.Finite,
  passed: Schema.Boolean,
  comment: Schema.String,
  sentAt: Schema.Finite
})

export type Contract = Event.Event<string, Grade>

/** The contract of an event; `keyed` gives it a key and with it a subject on the wire. */
export const contractOf = (
  type: string,
  options: { readonly keyed?: boolean; readonly cached?: boolean } = {}
): Contract =>
  Event.make(type, {
    version: 1,
    data,
    ...(options.keyed === true && { key: (grade: Grade) => grade.studentId }),
    ...(options.cached !== true && { cache: false })
  })
