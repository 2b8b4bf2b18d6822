/** The event of the benchmark as a contract of this library. In its own file, so that the peers do not load the library. */
import { Schema } from "effect"
import { Event } from "../src/index.ts"
import type { Grade } from "./GradeMessage.ts"

const data = Schema.Struct({
  studentId: Schema.String,
  courseId: Schema.String,
  term: Schema.String,
  grade: Schema.Finite,
  passed: Schema.Boolean,
  comment: Schema.String,
  sentAt: Schema.Finite
})

export type GradeEvent = Event.Event<string, Grade>

/** The contract of an event. `keyed` gives it a key, and with that a subject on the wire. */
export const contractOf = (
  type: string,
  options: { readonly keyed?: boolean; readonly cached?: boolean } = {}
): GradeEvent =>
  Event.make(type, {
    version: 1,
    data,
    ...(options.keyed === true && { key: (grade: Grade) => grade.studentId }),
    ...(options.cached !== true && { cache: false })
  })
