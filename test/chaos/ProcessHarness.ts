/**
 * What a process of a run has beside its service: its journal, its failpoints, and the log of the library. It
 * writes nothing to stdout or stderr, so any output there is a violation.
 */
import { createHash } from "node:crypto"
import { Effect, Layer, Logger, Option, References } from "effect"
import { readFileSync, readdirSync } from "node:fs"
import { library } from "../../src/bus/send/Diagnosis.ts"
import { Health } from "../../src/index.ts"
import type { Failpoint, ProcessOptions } from "./ProcessOptions.ts"
import { openJournal, type Write } from "./Journal.ts"
import * as AmqplibHooks from "./AmqplibHooks.ts"
import { setWallClock } from "./WallClock.ts"

export interface ProcessHarness {
  readonly write: Write
  /** Kills the process here if this failpoint is armed. */
  readonly reach: (failpoint: Failpoint) => void
  /** The hash of the event with this id goes to the journal when it is sent. */
  readonly watch: (id: string, event: string) => void
  readonly recordSent: (event: string, body: Buffer) => void
  readonly log: Layer.Layer<never>
}

export const openHarness = (options: ProcessOptions): ProcessHarness => {
  const { arm, journal, namespace, seed } = options
  const write = openJournal(journal)
  write({ t: "life", pid: process.pid, header: { seed, library, node: process.version, options } })
  let armed: string | undefined
  // Before this line SIGUSR2 would end the process.
  process.on("SIGUSR2", () => {
    const order = readFileSync(arm, "utf8")
    const step = /^clock (-?\d+)$/.exec(order)?.[1]
    if (step !== undefined) {
      setWallClock(Number(step))
      return write({ t: "clock", millis: Number(step) })
    }
    armed = order
    write({ t: "armed", failpoint: armed })
  })
  const reach = (failpoint: Failpoint): void => {
    if (armed !== failpoint) return
    write({ t: "failpoint", failpoint })
    process.kill(process.pid, "SIGKILL")
  }
  process.prependListener("SIGTERM", () => write({ t: "term" }))
  process.on("exit", (code) => write({ t: "exit", code }))

  const watched = new Map<string, string>()
  const recordSent = (event: string, body: Buffer): void =>
    write({ t: "wire", id: event, sha: createHash("sha256").update(body).digest("hex") })
  const isSubscriber = (queue: string): boolean => queue.startsWith(`${namespace}.sub.`)
  AmqplibHooks.closedByBroker(isSubscriber, (detail) => write({ t: "closed", detail }))
  let copies = 0
  AmqplibHooks.watch((exchange, key, id, body) => {
    const event = watched.get(id)
    if (event !== undefined) recordSent(event, body)
    const isCopy = exchange === `${namespace}.dead` || exchange.startsWith(`${namespace}.delay.`)
    // Canaries travel the ladder too.
    if (isCopy && !key.includes("_canary")) copies++
  })
  // The first confirm behind a copy; its original is acknowledged after this turn.
  AmqplibHooks.confirmed(() => {
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
  return { write, reach, watch: (id, event) => void watched.set(id, event), recordSent, log }
}

/** Writes down what its health says, again and again. */
export const reportHealth = ({ write }: ProcessHarness, { reportsHealth = false }: ProcessOptions) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      if (!reportsHealth) return
      const health = yield* Effect.serviceOption(Health)
      // A bus with a planted bug has none.
      if (Option.isNone(health)) return
      const look = Effect.map(health.value.report, ({ checks, status }) => {
        const bad = checks.filter((check) => check.status !== "up")
        write({
          t: "health",
          status,
          detail: bad.map(({ detail, name, status }) => `${name} ${status}: ${detail}`).join("; ")
        })
      })
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep("2 seconds"))))
    })
  )

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
