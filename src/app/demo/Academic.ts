/**
 * The academic service: keeps grades in order for each student, and tells what follows from them. Work
 * that is handed in has no order, and a database that is busy is asked again at a steady pace.
 */
import { Layer, Schedule } from "effect"
import { academic, AssignmentSubmitted, GradePosted, GradeRevised, PerformanceUpdated } from "../../catalog/index.ts"
import * as Fate from "./Fate.ts"
import { sample } from "./Samples.ts"
import type { Stage } from "./Stage.ts"

export const layer = ({ listen, say }: Stage) =>
  Layer.mergeAll(
    listen("academic", "transcript", { events: academic.match("academic.grade.*"), ordering: "key" }),
    listen("academic", "performance", {
      events: [GradePosted, GradeRevised],
      ordering: "key",
      react: ({ data }, random) =>
        say(PerformanceUpdated, { ...sample(PerformanceUpdated, random), studentId: data.studentId })
    }),
    listen("academic", "inbox", {
      events: [AssignmentSubmitted],
      concurrency: 8,
      retry: Fate.retryWith(Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 4 })))
    })
  )
