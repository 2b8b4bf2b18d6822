/**
 * Fields that EduFlow's contracts share: identifiers, names, texts, days and times. Every text has an upper bound, so
 * that an event of this catalog always fits the limits of a body. Personal fields are marked as sensitive here, once.
 */
import * as Schema from "effect/Schema"
import { sensitive } from "../event/sensitive/Sensitive.ts"

const identifier = Schema.String.check(
  Schema.isPattern(/^[a-z0-9][a-z0-9-]{0,63}$/u, {
    expected: "an identifier of 1 to 64 characters of a-z, 0-9 and -, not starting with -"
  })
)

/** A person's account, whatever their role. */
export const UserId = identifier.pipe(Schema.brand("UserId"))
export type UserId = typeof UserId.Type

/** A course in one term. */
export const CourseId = identifier.pipe(Schema.brand("CourseId"))
export type CourseId = typeof CourseId.Type

/** An assignment that students submit. */
export const AssignmentId = identifier.pipe(Schema.brand("AssignmentId"))
export type AssignmentId = typeof AssignmentId.Type

/** A post in a feed. */
export const PostId = identifier.pipe(Schema.brand("PostId"))
export type PostId = typeof PostId.Type

/** A comment under a post. */
export const CommentId = identifier.pipe(Schema.brand("CommentId"))
export type CommentId = typeof CommentId.Type

/** A message to one person over one channel. */
export const NotificationId = identifier.pipe(Schema.brand("NotificationId"))
export type NotificationId = typeof NotificationId.Type

/** A template that notifications are rendered from. */
export const TemplateId = identifier.pipe(Schema.brand("TemplateId"))
export type TemplateId = typeof TemplateId.Type

/** A document that proves an identity. */
export const DocumentId = identifier.pipe(Schema.brand("DocumentId"))
export type DocumentId = typeof DocumentId.Type

/** A text of 1 to `maxLength` characters. */
export const text = (maxLength: number) => Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(maxLength))

/** An integer from `minimum` to `maximum`. */
export const whole = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** A number from 0 to 100. */
export const Percent = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 }))

/** A point in time; on the wire ISO 8601 text in UTC. Limited to the years 1900 to 9999, which every language can read. */
export const Moment = Schema.Date.check(
  Schema.isBetweenDate({
    minimum: new Date("1900-01-01T00:00:00.000Z"),
    maximum: new Date("9999-12-31T23:59:59.999Z")
  })
)

const existsInCalendar = (day: string): boolean => {
  const parsed = new Date(`${day}T00:00:00.000Z`)
  // "2026-02-30" parses as a day in March.
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(day)
}

/** A calendar day without a time zone, for example "2026-09-01". */
export const Day = Schema.String.check(
  Schema.isPattern(/^(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/u, {
    expected: "a day such as 2026-09-01"
  }),
  Schema.makeFilter(existsInCalendar, { expected: "a day that exists in the calendar" })
)

/** A language with an optional region, for example "en" or "pt-BR". */
export const Locale = Schema.String.check(
  Schema.isPattern(/^[a-z]{2}(?:-[A-Z]{2})?$/u, { expected: "a locale such as en or pt-BR" })
)

/** A country code of two letters (ISO 3166-1). */
export const Country = Schema.String.check(Schema.isPattern(/^[A-Z]{2}$/u, { expected: "two letters of ISO 3166-1" }))

/** A SHA-256 sum in hexadecimal. */
export const Sha256 = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{64}$/u, { expected: "a SHA-256 sum in hexadecimal" })
)

/** An e-mail address; sensitive. */
export const Email = sensitive(
  Schema.String.check(
    Schema.isMaxLength(254),
    Schema.isPattern(/^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,3}$/u, {
      expected: "an e-mail address"
    })
  )
)

/** The name of a person in two parts; sensitive. */
export const PersonName = Schema.Struct({
  given: sensitive(text(100)),
  family: sensitive(text(100))
})

/** A date of birth; sensitive. */
export const BirthDate = sensitive(Day)
