/** The metrics of requests and their answers; see Metrics.ts. */
import { collection, seconds } from "./MetricDefinition.ts"

const { all, counter, histogram } = collection()

export const duration = histogram(
  "eventbus.request.duration",
  "s",
  ["eventbus.event", "eventbus.outcome"],
  "Time from the call of request to its answer, or to the error that there is none",
  { boundaries: seconds, emitter: "requests" }
)
export const late = counter(
  "eventbus.request.late",
  "{reply}",
  [],
  "Answers that nobody waited for any more, and requests that were left for that"
)

export { all }
