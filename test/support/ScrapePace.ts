/** How fast a test's Prometheus can scrape: slower on a busy machine, where a late scrape would be a gap in a series. */
import { setTimeout as delay } from "node:timers/promises"

/** Between two scrapes on an idle machine, in milliseconds. */
export const scrapeMillis = 500

/** How long services may take to start, in milliseconds. */
const patience = 240_000
/** How long an answer may take, in milliseconds: a connection that was accepted and forgotten is asked again. */
const answerPatience = 15_000

/** Why an address has no page of metrics, if it has none. */
const scraped = async (address: string): Promise<{ readonly problem?: string }> => {
  try {
    const response = await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(answerPatience) })
    if ((await response.text()) === "") return { problem: "its page is empty" }
    return response.ok ? {} : { problem: `status ${response.status}` }
  } catch (error) {
    return { problem: error instanceof Error ? `${error.message} ${String(error.cause ?? "")}` : String(error) }
  }
}

/** How many times slower than an idle machine this one is, by the slowest of a few scrapes of these addresses, by job. */
export const paceOf = async (targets: Readonly<Record<string, ReadonlyArray<string>>>): Promise<number> => {
  const deadline = performance.now() + patience
  const millisOf = async (job: string, address: string): Promise<number> => {
    for (;;) {
      const start = performance.now()
      const { problem } = await scraped(address)
      if (problem === undefined) return performance.now() - start
      if (start > deadline) throw new Error(`${job} has no metrics at ${address}: ${problem}`)
      await delay(50)
    }
  }
  let slowest = 0
  for (let round = 0; round < 5; round++) {
    const times = await Promise.all(
      Object.entries(targets).flatMap(([job, addresses]) => addresses.map((address) => millisOf(job, address)))
    )
    // The first round waits for services to start, and runs code that is not compiled yet.
    if (round > 0) slowest = Math.max(slowest, ...times)
  }
  return Math.max(1, Math.ceil((4 * slowest) / scrapeMillis))
}
