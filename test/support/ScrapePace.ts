/** How fast a test's Prometheus can scrape: slower on a busy machine, where a late scrape would be a gap in a series. */
import { setTimeout as delay } from "node:timers/promises"

/** Between two scrapes on an idle machine, in milliseconds. */
export const scrapeMillis = 500

/** How many times slower than an idle machine this one is, by the slowest of a few scrapes of these addresses. */
export const paceOf = async (addresses: ReadonlyArray<string>): Promise<number> => {
  let slowest = 0
  for (let round = 0; round < 5; round++) {
    const scrapes = addresses.map(async (address) => {
      for (;;) {
        const start = performance.now()
        const isThere = await fetch(`http://${address}/metrics`).then(
          async (response) => response.ok && (await response.text()) !== "",
          () => false
        )
        if (isThere) return performance.now() - start
        await delay(50)
      }
    })
    const times = await Promise.all(scrapes)
    // The first round waits for services to start, and runs code that is not compiled yet.
    if (round > 0) slowest = Math.max(slowest, ...times)
  }
  return Math.max(1, Math.ceil((4 * slowest) / scrapeMillis))
}
