/** The KYC service: documents are reviewed, and everything about an identity goes to the audit in order. */
import { Layer } from "effect"
import { DocumentReviewed, DocumentSubmitted, kyc } from "../../catalog/index.ts"
import { sample } from "./Samples.ts"
import type { Stage } from "./Stage.ts"

export const layer = ({ listen, random, say }: Stage) =>
  Layer.mergeAll(
    listen("kyc", "review", {
      events: [DocumentSubmitted],
      concurrency: 4,
      react: ({ data }) =>
        say(DocumentReviewed, { ...sample(DocumentReviewed, random), documentId: data.documentId, userId: data.userId })
    }),
    listen("kyc", "audit", { events: kyc.match("kyc.#"), ordering: "key" })
  )
