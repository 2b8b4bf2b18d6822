/** A consuming process: its argument is a job, and it reports each begin and end of a handler to its parent. */
import { setTimeout } from "node:timers/promises"
import type { Consume, Job, Report } from "./Protocol.ts"

const report = (what: Report): void => void process.send?.(what)

const consumerOf = async (name: string): Promise<Consume> => {
  // Only what runs is loaded.
  if (name === "ours") return (await import("./OwnConsumer.ts")).consume
  const found = (await import("./Consumers.ts")).consumers[name]
  if (found === undefined) throw new Error(`there is no consumer ${name}`)
  return found
}

const job: Job = JSON.parse(process.argv[2] ?? "{}")
const consume = await consumerOf(job.consumer)
await consume(
  job,
  async ({ grade: n, studentId: key }) => {
    report({ _tag: "Began", key, n, at: Date.now() })
    await setTimeout(job.handlerMillis)
    report({ _tag: "Ended", key, n, at: Date.now() })
  },
  (text) => report({ _tag: "Said", text })
)
report({ _tag: "Ready" })
