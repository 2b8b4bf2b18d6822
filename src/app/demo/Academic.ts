/** The academic service: keeps grades in order for each student, and what follows from them. */
import { Layer } from "effect"
import { academic, AssignmentSubmitted, GradePosted, GradeRevised, PerformanceUpdated } from "../../catalog/index.ts"
import { sample } from "./Samples.ts"
import type { Stage } from "./Stage.ts"

export const layer = ({ listen, random, say }: Stage) =>
  Layer.mergeAll(
    listen("academic", "transcript", { events: academic.match("academic.grade.*"), ordering: "key" }),
    listen("academic", "performance", {
      events: [GradePosted, GradeRevised],
      ordering: "key",
      react: ({ data }) => say(PerformanceUpdated, { ...sample(PerformanceUpdated, random), studentId: data.studentId })
    }),
    listen("academic", "inbox", { events: [AssignmentSubmitted], concurrency: 8 })
  )
