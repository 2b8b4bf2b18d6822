/**
 * Events of courses: publication, enrolment, assignments, submissions, grades and the performance computed from them.
 * The key is the student wherever there is one, so that everything about one student keeps its order; courses and
 * assignments have the key of the course.
 */
import * as Schema from "effect/Schema"
import * as Event from "../event/Event.ts"
import { AssignmentId, CourseId, Day, Moment, Percent, Sha256, text, UserId, whole } from "./fields.ts"
import { publishersOf } from "./permissions.ts"

/** Points out of the maximum. */
const Score = Schema.Struct({
  points: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1000 })),
  outOf: Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))
}).check(
  Schema.makeFilter(({ points, outOf }) => points <= outOf, { expected: "at most as many points as the maximum" })
)

/** A letter grade. */
export const Letter = Schema.Literals(["A", "B", "C", "D", "F"])

/** The letter grade of a percentage. */
export const letterOf = (percent: number): typeof Letter.Type =>
  percent >= 90 ? "A" : percent >= 80 ? "B" : percent >= 70 ? "C" : percent >= 60 ? "D" : "F"

/** A course opened for enrolment. */
export const CoursePublished = Event.make("academic.course.published", {
  version: 1,
  data: Schema.Struct({
    courseId: CourseId,
    title: text(200),
    teacherId: UserId,
    term: Schema.Struct({ name: text(40), startsOn: Day, endsOn: Day }),
    credits: whole(0, 60),
    capacity: Schema.optionalKey(whole(1, 100_000)),
    topics: Schema.Array(text(60)).check(Schema.isMaxLength(20))
  }),
  key: (course) => course.courseId,
  publishers: publishersOf("academic.course.published", (course: { readonly teacherId: UserId }) => course.teacherId)
})

/** A student joined a course. */
export const CourseEnrolled = Event.make("academic.course.enrolled", {
  version: 1,
  data: Schema.Struct({
    studentId: UserId,
    courseId: CourseId,
    enrolledAt: Moment,
    mode: Schema.Literals(["credit", "audit"])
  }),
  key: (enrolment) => enrolment.studentId,
  publishers: publishersOf(
    "academic.course.enrolled",
    (enrolment: { readonly studentId: UserId }) => enrolment.studentId
  )
})

/** A student left a course before its end. */
export const CourseLeft = Event.make("academic.course.left", {
  version: 1,
  data: Schema.Struct({
    studentId: UserId,
    courseId: CourseId,
    leftAt: Moment,
    reason: Schema.Literals(["withdrawn", "transferred", "removed"])
  }),
  key: (leave) => leave.studentId,
  publishers: publishersOf("academic.course.left", (leave: { readonly studentId: UserId }) => leave.studentId)
})

/** An assignment was published for the students of a course. */
export const AssignmentPublished = Event.make("academic.assignment.published", {
  version: 1,
  data: Schema.Struct({
    assignmentId: AssignmentId,
    courseId: CourseId,
    authorId: UserId,
    title: text(200),
    dueAt: Moment,
    outOf: whole(1, 1000),
    weight: Percent
  }),
  key: (assignment) => assignment.courseId,
  publishers: publishersOf(
    "academic.assignment.published",
    (assignment: { readonly authorId: UserId }) => assignment.authorId
  )
})

/** A student submitted an assignment. */
export const AssignmentSubmitted = Event.make("academic.assignment.submitted", {
  version: 1,
  data: Schema.Struct({
    assignmentId: AssignmentId,
    courseId: CourseId,
    studentId: UserId,
    submittedAt: Moment,
    late: Schema.Boolean,
    files: Schema.Array(
      Schema.Struct({ name: text(200), mediaType: text(100), bytes: whole(0, 2_147_483_647), sha256: Sha256 })
    ).check(Schema.isMinLength(1), Schema.isMaxLength(20))
  }),
  key: (submission) => submission.studentId,
  publishers: publishersOf(
    "academic.assignment.submitted",
    (submission: { readonly studentId: UserId }) => submission.studentId
  )
})

const GradeV1 = Schema.Struct({ studentId: UserId, courseId: CourseId, grade: Percent })
const GradeV2 = Schema.Struct({ ...GradeV1.fields, letter: Letter })

/** A student's work was graded. */
export const GradePosted = Event.make("academic.grade.posted", {
  version: 3,
  data: Schema.Struct({
    studentId: UserId,
    courseId: CourseId,
    assignmentId: Schema.optionalKey(AssignmentId),
    graderId: Schema.optionalKey(UserId),
    score: Score,
    letter: Letter,
    feedback: Schema.optionalKey(text(4000))
  }),
  key: (grade) => grade.studentId,
  publishers: publishersOf("academic.grade.posted", (grade: { readonly studentId: UserId }) => grade.studentId),
  cache: { perKey: true, history: 50 },
  previous: [
    { version: 1, data: GradeV1, up: (old) => ({ ...old, letter: letterOf(old.grade) }) },
    {
      version: 2,
      data: GradeV2,
      up: ({ grade, ...old }) => ({ ...old, score: { points: grade, outOf: 100 } })
    }
  ]
})

/** A posted grade was changed, for a reason that students may read. */
export const GradeRevised = Event.make("academic.grade.revised", {
  version: 1,
  data: Schema.Struct({
    studentId: UserId,
    courseId: CourseId,
    assignmentId: Schema.optionalKey(AssignmentId),
    from: Score,
    to: Score,
    reason: text(500)
  }),
  key: (grade) => grade.studentId,
  publishers: publishersOf("academic.grade.revised", (grade: { readonly studentId: UserId }) => grade.studentId)
})

/** A student's performance in all courses was computed anew. */
export const PerformanceUpdated = Event.make("academic.performance.updated", {
  version: 1,
  data: Schema.Struct({
    studentId: UserId,
    average: Percent,
    trend: Schema.Literals(["rising", "steady", "falling"]),
    courses: Schema.Array(Schema.Struct({ courseId: CourseId, average: Percent, gradedWork: whole(0, 10_000) })).check(
      Schema.isMaxLength(50)
    ),
    computedAt: Moment
  }),
  key: (performance) => performance.studentId,
  publishers: publishersOf(
    "academic.performance.updated",
    (performance: { readonly studentId: UserId }) => performance.studentId
  ),
  cache: { last: true, perKey: true, history: 30 }
})
