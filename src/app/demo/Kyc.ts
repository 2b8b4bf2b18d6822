/**
 * The KYC service: documents are reviewed, few at a time, and everything about an identity goes to the
 * audit in order. The audit is patient: it gives an event more attempts than others do.
 */
import { Layer, Schedule } from "effect"
import { DocumentReviewed, DocumentSubmitted, kyc } from "../../catalog/index.ts"
import * as Fate from "./Fate.ts"
import { sample } from "./Samples.ts"
import type { Stage } from "./Stage.ts"

export const layer = ({ listen, say }: Stage) =>
  Layer.mergeAll(
    listen("kyc", "review", {
      events: [DocumentSubmitted],
      concurrency: 4,
      react: ({ data }, random) =>
        say(DocumentReviewed, { ...sample(DocumentReviewed, random), documentId: data.documentId, userId: data.userId })
    }),
    listen("kyc", "audit", {
      events: kyc.match("kyc.#"),
      ordering: "key",
      retry: Fate.retryWith(Schedule.exponential("20 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 5 })))
    })
  )
