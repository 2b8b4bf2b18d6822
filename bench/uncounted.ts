/**
 * The library without its counting, to measure what that costs: `node --import bench/uncounted.ts`. In place of
 * the series of an event, a contract or a subscriber it puts some that add nothing.
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
