/** From BullMQ: moves the jobs of a queue in Redis. */
import type { PromiseEventBus } from "@eduflow/events"
import { FlowProducer, type Job, type JobType, Queue, Worker } from "bullmq"
import { type Book, OrderPaid } from "./orders.ts"

type Paid = { readonly orderId: string }
type Connection = { readonly url: string; readonly maxRetriesPerRequest: null }

export const oldQueue = (name: string, connection: Connection) => new Queue<Paid>(name, { connection })

export const oldWorker = (name: string, connection: Connection, book: Book) =>
  new Worker<Paid>(name, (job) => book(job.data.orderId, `${name}.${job.id}`), { connection, concurrency: 5 })

export const oldFlows = (connection: Connection) => new FlowProducer({ connection })

export interface Moved {
  readonly published: number
  /** Jobs that are still in the queue, and why. */
  readonly left: ReadonlyArray<{ readonly job: string; readonly why: string }>
}

/** No delay of a publish is longer. */
const longestDelay = 12 * 24 * 60 * 60 * 1000

const kept = (job: Job, delay: number) => {
  if (job.repeatJobKey !== undefined) return "a scheduler adds it again and again: publish on a timer of your own"
  if (job.parentKey !== undefined) return "its parent waits for it: let the worker finish the flow"
  if (delay > longestDelay) return "it is due in more than 12 days: move it then"
  return undefined
}

/** Call it again after a failure: what was published twice has one id. */
export const moveJobs = async (
  queue: Queue<Paid>,
  redis: { readonly zscore: (key: string, member: string) => Promise<string | null> },
  bus: PromiseEventBus
): Promise<Moved> => {
  // Workers start nothing more, and finish what they have.
  await queue.pause()
  while ((await queue.getActiveCount()) > 0) await new Promise((resolve) => setTimeout(resolve, 100))
  const left: Array<{ readonly job: string; readonly why: string }> = []
  let published = 0

  const move = async (job: Job<Paid>, id: string, state: JobType) => {
    // The score knows when it is due. The fields do not: a retry changes `delay`, and `timestamp` stays that of the creation.
    const score = state === "delayed" ? await redis.zscore(queue.toKey("delayed"), id) : undefined
    const delay = Math.max(0, Number(score ?? 0) / 0x1000 - Date.now())
    const why = kept(job, delay)
    if (why !== undefined) return why
    await bus.publish(OrderPaid, job.data, {
      // Ids of jobs begin with 1 in each queue.
      id: `${queue.name}.${id}`,
      ...(score !== undefined && { delay }),
      ...(state === "failed" && { headers: { "bullmq-failed": job.failedReason.slice(0, 500) } })
    })
    published++
    await job.remove()
    return undefined
  }

  for (const state of ["waiting", "prioritized", "delayed", "failed", "waiting-children"] as const) {
    let from = 0
    for (;;) {
      const jobs = await queue.getJobs([state], from, from + 99, true)
      if (jobs.length === 0) break
      for (const job of jobs) {
        const id = String(job.id)
        const why = state === "waiting-children" ? "its children are not done" : await move(job, id, state)
        if (why === undefined) continue
        left.push({ job: id, why })
        from++
      }
    }
  }
  return { published, left }
}
