/** Scenarios of any library: publishing at full speed, consuming at full speed, latency at a steady rate. */
import { setTimeout as delay } from "node:timers/promises"
import * as Meter from "../Meter.ts"
import { load } from "../peers/index.ts"
import type { Session } from "../peers/Peer.ts"
import { grade, typeOf } from "../GradeMessage.ts"
import type { Job, Report } from "./Job.ts"

const open = async (job: Job): Promise<Session> => {
  const { foreignQueue, peer, prefetch, subscriber, url, variant } = job
  return (await load(peer, variant)).open(url, { foreignQueue, prefetch, subscriber })
}

/** With a breadth above 1 there are that many subscribers, each with its own event. */
export const subscribersOf = ({ breadth, subscriber }: Pick<Job, "breadth" | "subscriber">): ReadonlyArray<string> =>
  breadth === 1 ? [subscriber] : Array.from({ length: breadth }, (_, index) => `${subscriber}-${index}`)

/** Publishes `count` events with at most `inFlight` unconfirmed; resolves when all are confirmed. */
export const pump = (session: Session, job: Job, count: number): Promise<void> => {
  const { breadth, data, inFlight } = job
  const types = subscribersOf(job).map(typeOf)
  return new Promise((resolve, reject) => {
    let sent = 0
    let confirmed = 0
    const done = (error?: unknown): void => {
      if (error !== undefined) return reject(error)
      confirmed++
      if (confirmed === count) resolve()
      else more()
    }
    const more = (): void => {
      while (sent < count && sent - confirmed < inFlight) {
        sent++
        session.publish(types[sent % breadth] ?? "", grade(sent, data), done)
      }
    }
    more()
  })
}

export const publish = async (job: Job): Promise<Report> => {
  const session = await open(job)
  await pump(session, job, job.warm)
  const stop = Meter.start(job.brokerPid)
  await pump(session, job, job.count)
  const reading = stop()
  await session.close()
  return { events: job.count, ...reading }
}

export const consume = async (job: Job): Promise<Report> => {
  const session = await open(job)
  let seen = 0
  let stop = (): Meter.Reading => {
    throw new Error("the warm-up did not end")
  }
  const reading = await new Promise<Meter.Reading>((resolve, reject) => {
    const handle = (): void => {
      seen++
      if (seen === job.warm) stop = Meter.start(job.brokerPid)
      if (seen === job.warm + job.count) resolve(stop())
    }
    Promise.all(subscribersOf(job).map((name) => session.consume(name, job.prefetch, handle))).catch(reject)
  })
  // Not closed: more deliveries are on their way, and some peers crash when they ack on a closing channel.
  return { events: job.count, ...reading }
}

export const latency = async (job: Job): Promise<Report> => {
  const session = await open(job)
  const type = typeOf(job.subscriber)
  const all = job.warm + job.count
  const waits: Array<number> = []
  let stop = Meter.start(job.brokerPid)
  let seen = 0
  let finish = (): void => {}
  const finished = new Promise<void>((resolve) => (finish = resolve))
  await session.consume(job.subscriber, job.prefetch, ({ sentAt }) => {
    seen++
    if (seen === job.warm) stop = Meter.start(job.brokerPid)
    if (seen > job.warm) waits.push(performance.now() - sentAt)
    if (seen === all) finish()
  })
  let failure: unknown
  const began = performance.now()
  for (let sent = 0; sent < all && failure === undefined;) {
    const due = Math.min(all, Math.floor(((performance.now() - began) / 1000) * job.rate))
    for (; sent < due; sent++) {
      session.publish(type, grade(sent, job.data), (error) => {
        failure ??= error
      })
    }
    await delay(1)
  }
  if (failure !== undefined) throw failure
  await finished
  const reading = stop()
  await session.close()
  waits.sort((one, other) => one - other)
  const at = (part: number): number => waits[Math.min(waits.length - 1, Math.floor(waits.length * part))] ?? Number.NaN
  return { events: job.count, ...reading, p50: at(0.5), p99: at(0.99) }
}
