/**
 * Replaces the metric series of events, contracts and subscribers by ones that count nothing, to measure what counting
 * costs: `node --import bench/uncounted.ts`.
 */
import { registerHooks } from "node:module"

const nothing = `
const none = () => {}
const bound = { update: none }
export const publisher = () => ({ confirmed: none, failed: none })
export const subscriber = () => ({
  delivered: none,
  outcome: () => bound,
  stopwatch: () => 0,
  processed: none,
  deadLettered: () => bound,
  retries: bound,
  restarts: bound,
  returns: bound
})
`

registerHooks({
  load: (url, context, next) =>
    url.endsWith("/src/observe/Meters.ts")
      ? { format: "module", source: nothing, shortCircuit: true }
      : next(url, context)
})
