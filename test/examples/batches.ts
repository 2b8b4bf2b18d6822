import { Batch, Reject, Subscriber } from "../../src/index.ts"
import { Effect } from "effect"
import { ProfileUpdated } from "./define.ts"

export const SearchIndex = Subscriber.layer("search.profiles", {
  events: [ProfileUpdated],
  batch: { size: 500, within: "200 millis" },
  handler: (events) =>
    Batch.each(events, ({ data }) =>
      data.email === "" ? Effect.fail(new Reject({ reason: "no address" })) : Effect.log(`index ${data.userId}`)
    )
})
