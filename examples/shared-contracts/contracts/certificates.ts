/** Contracts of a team, built from the fields that all of EduFlow shares. */
import { Event } from "@eduflow/events"
import { CourseId, Moment, Percent, UserId } from "@eduflow/events/catalog"
import { Schema } from "effect"

export const CertificateIssued = Event.make("academic.certificate.issued", {
  version: 1,
  data: Schema.Struct({
    studentId: UserId,
    courseId: CourseId,
    score: Percent,
    issuedAt: Moment
  }).annotate({ description: "A student has passed a course." }),
  key: (certificate) => certificate.studentId,
  publishers: { roles: ["service", "registrar"] }
})
