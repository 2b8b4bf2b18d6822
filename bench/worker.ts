/** One run in a process of its own: its argument is a job, and it sends its report to the parent. */
import { consume, latency, publish } from "./scenarios/flow.ts"
import type { Job, Report } from "./scenarios/Job.ts"

const run = async (job: Job): Promise<Report> => {
  switch (job.scenario) {
    case "publish":
      return publish(job)
    case "consume":
      return consume(job)
    case "latency":
      return latency(job)
  }
  // Imported late: these load the library, which the peers must not.
  if (job.scenario === "lanes") return (await import("./scenarios/lanes.ts")).lanes(job)
  if (job.scenario === "rest") return (await import("./scenarios/rest.ts")).rest(job)
  const bus = await import("./scenarios/bus.ts")
  switch (job.scenario) {
    case "declare":
      return bus.declare(job)
    case "embedded":
    case "soak":
      return bus.embedded(job)
    case "publish-all":
      return bus.publishAll(job)
    case "dead-letter":
      return bus.deadLetter(job)
    case "replay":
      return bus.replay(job)
    case "ladder":
      return bus.ladder(job)
  }
}

const job: Job = JSON.parse(process.argv[2] ?? "{}")
process.send?.(await run(job), undefined, undefined, () => process.exit(0))
