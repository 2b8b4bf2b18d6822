/**
 * What a process of these runs is besides its service: its ledger, its failpoints, and the log of the
 * library. It writes nothing to stdout or stderr, so whatever is found there is a fault.
 */
import { createHash } from "node:crypto"
import { Layer, Logger, References } from "effect"
import { readFileSync, readdirSync } from "node:fs"
import { library } from "../../src/bus/Diagnosis.ts"
import type { Failpoint, ProcessOptions } from "./Contract.ts"
import { openLedger, type Write } from "./Ledger.ts"
import * as Wire from "./Wire.ts"

export interface Child {
  readonly write: Write
  /** Dies here if this failpoint is armed. */
  readonly reach: (failpoint: Failpoint) => void
  /** The bytes of these events are written down when they are sent. */
  readonly watch: (id: string) => void
  readonly wire: (id: string, body: Buffer) => void
  readonly log: Layer.Layer<never>
}

export const begin = (options: ProcessOptions): Child => {
  const { arm, ledger, namespace, seed } = options
  const write = openLedger(ledger)
  write({ t: "life", pid: process.pid, header: { seed, library, node: process.version, options } })
  let armed: string | undefined
  // A signal that came before this would have ended the process.
  process.on("SIGUSR2", () => {
    armed = readFileSync(arm, "utf8")
    write({ t: "armed", failpoint: armed })
  })
  const reach = (failpoint: Failpoint): void => {
    if (armed !== failpoint) return
    write({ t: "failpoint", failpoint })
    process.kill(process.pid, "SIGKILL")
  }
  process.prependListener("SIGTERM", () => write({ t: "term" }))
  process.on("exit", (code) => write({ t: "exit", code }))

  const watched = new Set<string>()
  const wire = (id: string, body: Buffer): void =>
    write({ t: "wire", id, sha: createHash("sha256").update(body).digest("hex") })
  let copies = 0
  Wire.watch((exchange, key, id, body) => {
    if (watched.has(id)) wire(id, body)
    const isCopy = exchange === `${namespace}.dead` || exchange.startsWith(`${namespace}.delay.`)
    // Canaries travel the ladder too.
    if (isCopy && !key.includes("_canary")) copies++
  })
  // The first confirm behind a copy; its original is acknowledged after this turn.
  Wire.confirmed(() => {
    if (copies === 0) return
    copies = 0
    reach("after-copy")
  })

  setInterval(() => {
    globalThis.gc?.()
    const { heapUsed, rss } = process.memoryUsage()
    write({ t: "vitals", rss, heap: heapUsed, fds: readdirSync("/proc/self/fd").length })
  }, 4000).unref()

  const log = Layer.merge(
    Logger.layer([
      Logger.make(({ fiber, logLevel, message }) => {
        const fields = fiber.getRef(References.CurrentLogAnnotations)
        write({ t: "log", level: logLevel, message: String(message), fields })
      })
    ]),
    Layer.succeed(References.MinimumLogLevel, "Info" as const)
  )
  return { write, reach, watch: (id) => void watched.add(id), wire, log }
}

/** The options that every process gives to the bus. */
export const busOptions = ({ name, namespace, redisUrl, url }: ProcessOptions) =>
  ({
    url,
    redisUrl,
    namespace,
    source: name,
    heartbeat: "2 seconds",
    publishTimeout: "20 seconds"
  }) as const
