/**
 * The KYC service: documents are reviewed, a few at a time, and everything about an identity is audited in order. The
 * audit is patient: it gives an event more attempts than the other subscribers do.
 */
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { DocumentReviewed, DocumentSubmitted, kyc } from "../../catalog/index.ts"
import * as PlannedFailure from "./PlannedFailure.ts"
import { sample } from "./Samples.ts"
import type { ServiceTools } from "./ServiceTools.ts"

export const layer = ({ publish, subscribe }: ServiceTools) =>
  Layer.mergeAll(
    subscribe("kyc", "review", {
      events: [DocumentSubmitted],
      concurrency: 4,
      onHandled: ({ data }, random) =>
        publish(DocumentReviewed, {
          ...sample(DocumentReviewed, random),
          documentId: data.documentId,
          userId: data.userId
        })
    }),
    subscribe("kyc", "audit", {
      events: kyc.match("kyc.#"),
      ordering: "key",
      retry: PlannedFailure.retryWith(
        Schedule.exponential("20 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 5 }))
      )
    })
  )
