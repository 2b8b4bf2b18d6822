/**
 * The academic service: keeps grades in order for each student, and publishes what follows from them. Submitted work
 * needs no order, and a busy database is retried at a steady pace.
 */
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { academic, AssignmentSubmitted, GradePosted, GradeRevised, PerformanceUpdated } from "../../catalog/index.ts"
import * as PlannedFailure from "./PlannedFailure.ts"
import { sample } from "./Samples.ts"
import type { ServiceTools } from "./ServiceTools.ts"

export const layer = ({ publish, subscribe }: ServiceTools) =>
  Layer.mergeAll(
    subscribe("academic", "transcript", { events: academic.match("academic.grade.*"), ordering: "key" }),
    subscribe("academic", "performance", {
      events: [GradePosted, GradeRevised],
      ordering: "key",
      onHandled: ({ data }, random) =>
        publish(PerformanceUpdated, { ...sample(PerformanceUpdated, random), studentId: data.studentId })
    }),
    subscribe("academic", "inbox", {
      events: [AssignmentSubmitted],
      concurrency: 8,
      retry: PlannedFailure.retryWith(Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 4 })))
    })
  )
