/**
 * Sample data for the events of the academic domain. Points never exceed the maximum, and letters follow from them.
 */
import { letterOf } from "../../catalog/index.ts"
import {
  assignment,
  bell,
  chance,
  course,
  courseAt,
  courses,
  day,
  dayText,
  int,
  many,
  moment,
  one,
  pick,
  remarks,
  round,
  score,
  sha256,
  student,
  teacher,
  termStart,
  topics,
  works,
  type SamplesOf
} from "./University.ts"

export const academicSamples: SamplesOf<"academic"> = {
  "academic.course.published": (r) => {
    const index = int(r, 0, courses.length - 1)
    return {
      courseId: courseAt(index),
      title: courses[index] ?? "Seminar",
      teacherId: teacher(r),
      term: {
        name: "Autumn 2026",
        startsOn: dayText(new Date(termStart)),
        endsOn: dayText(new Date(termStart + 100 * day))
      },
      credits: pick(r, [3, 5, 6, 10]),
      ...(chance(r, 0.8) && { capacity: int(r, 12, 300) }),
      topics: many(r, 1, 4, () => pick(r, topics))
    }
  },
  "academic.course.enrolled": (r) => ({
    studentId: student(r),
    courseId: course(r),
    enrolledAt: moment(r),
    mode: chance(r, 0.9) ? "credit" : "audit"
  }),
  "academic.course.left": (r) => ({
    studentId: student(r),
    courseId: course(r),
    leftAt: moment(r),
    reason: one(r, "withdrawn", "transferred", "removed")
  }),
  "academic.assignment.published": (r) => ({
    assignmentId: assignment(r),
    courseId: course(r),
    authorId: teacher(r),
    title: `${pick(r, works)} ${int(r, 1, 12)}`,
    dueAt: moment(r),
    outOf: pick(r, [20, 50, 100]),
    weight: pick(r, [5, 10, 20, 40])
  }),
  "academic.assignment.submitted": (r) => ({
    assignmentId: assignment(r),
    courseId: course(r),
    studentId: student(r),
    submittedAt: moment(r),
    late: chance(r, 0.1),
    files: many(r, 1, 3, (i) => ({
      name: `solution-${i + 1}.pdf`,
      mediaType: "application/pdf",
      bytes: int(r, 20_000, 4_000_000),
      sha256: sha256(r)
    }))
  }),
  "academic.grade.posted": (r) => {
    const reached = score(r)
    return {
      studentId: student(r),
      courseId: course(r),
      assignmentId: assignment(r),
      graderId: teacher(r),
      score: reached,
      letter: letterOf((100 * reached.points) / reached.outOf),
      ...(chance(r, 0.6) && { feedback: pick(r, remarks) })
    }
  },
  "academic.grade.revised": (r) => {
    const from = score(r)
    const to = { points: Math.min(from.outOf, round(from.points + int(r, 1, 5))), outOf: from.outOf }
    return {
      studentId: student(r),
      courseId: course(r),
      assignmentId: assignment(r),
      from,
      to,
      reason: "A page had been overlooked."
    }
  },
  "academic.performance.updated": (r) => {
    const taken = many(r, 1, 5, (i) => ({
      courseId: courseAt(i),
      average: round(40 + 60 * bell(r)),
      gradedWork: int(r, 1, 20)
    }))
    return {
      studentId: student(r),
      average: round(taken.reduce((sum, { average }) => sum + average, 0) / taken.length),
      trend: one(r, "rising", "steady", "falling"),
      courses: taken,
      computedAt: moment(r)
    }
  }
}
