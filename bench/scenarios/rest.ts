/** A service that is connected and has nothing to do: its CPU, its wake-ups, and what it writes to its sockets. */
import { Socket } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import * as Meter from "../Meter.ts"
import { session } from "../peers/ours.ts"
import { subscribersOf } from "./flow.ts"
import type { Job, Report } from "./Job.ts"

/** Long enough for the first canary, the first measure of the lag, and the compiler. */
const settleMillis = 15_000

/** `breadth` subscribers are idle for `count` seconds, which are the events of the report. */
export const rest = async (job: Job): Promise<Report> => {
  let writes = 0
  // Every write of a socket comes through one of the two.
  const { _write, _writev } = Socket.prototype
  Socket.prototype._write = function (...args) {
    writes++
    return _write.apply(this, args)
  }
  Socket.prototype._writev = function (...args) {
    writes++
    return _writev?.apply(this, args)
  }
  const one = await session(job.url, job.variant)
  for (const name of subscribersOf(job)) await one.consume(name, job.prefetch, () => {})
  await delay(settleMillis)
  const stop = Meter.start(job.brokerPid)
  const [wakeUps, written] = [process.resourceUsage().voluntaryContextSwitches, writes]
  await delay(job.count * 1000)
  const woken = process.resourceUsage().voluntaryContextSwitches - wakeUps
  const sent = writes - written
  const reading = stop()
  await one.close()
  return { events: job.count, ...reading, wakeUps: woken, writes: sent }
}
