/**
 * The log lines of a server that a process is connected to: one when it has not been connected for a second, one when
 * it is connected again. A server may have several connections, which are lost together: they are one outage.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Clock from "effect/Clock"
import * as Monotonic from "../../observe/Monotonic.ts"
import * as Log from "../../observe/Log.ts"

const patience = "1 second"

/** Lives as long as the current scope. */
export const make = Effect.fnUntraced(function* (server: string, remedy: string) {
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const outages = new OutageLog(server, remedy, yield* Log.make, yield* Clock.Clock, run)
  yield* Effect.addFinalizer(() => Effect.sync(() => outages.close()))
  return outages
})

export class OutageLog {
  private readonly server: string
  private readonly remedy: string
  private readonly log: Log.Log
  private readonly now: Monotonic.Monotonic
  private readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  /** The connections that are down, and why. */
  private readonly down = new Map<string, () => string>()
  private timer: Fiber.Fiber<void> | undefined
  private since = 0
  private isReported = false
  private isClosed = false
  /** Why a connection was lost that had worked; undefined if none was. The failures that follow say nothing of it. */
  private loss: string | undefined

  constructor(
    server: string,
    remedy: string,
    log: Log.Log,
    clock: Clock.Clock,
    run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  ) {
    this.server = server
    this.remedy = remedy
    this.log = log
    this.now = Monotonic.of(clock)
    this.run = run
  }

  /** A connection is not there, or not any more: `why` is asked when the line is written. Called at each failed attempt. */
  lost(connection: string, why: () => string, wasUp: boolean): void {
    if (this.isClosed) return
    if (this.down.size === 0) {
      this.since = this.now()
      this.isReported = false
      this.loss = undefined
      this.timer = this.run(
        Effect.sleep(patience).pipe(
          // After a turn that was busy the timer comes first: what the sockets have to say is heard before the line is written.
          Effect.andThen(Effect.yieldNow),
          Effect.andThen(Effect.sync(() => this.report()))
        )
      )
    }
    this.down.set(connection, why)
    if (wasUp) this.loss ??= why()
  }

  /** Writes the first line of an outage now, if it was not written. */
  report(): void {
    const [why] = this.down.values()
    if (this.isReported || why === undefined) return
    this.isReported = true
    this.log.warning(
      this.loss !== undefined ? `the connection to ${this.server} is lost` : `not connected to ${this.server} yet`,
      {
        connections: [...this.down.keys()].join(", "),
        millis: Math.round(this.now() - this.since),
        detail: why(),
        ...(this.loss !== undefined && { loss: this.loss }),
        remedy: this.remedy
      }
    )
  }

  /** A connection works. */
  connected(connection: string): void {
    if (!this.down.delete(connection) || this.down.size > 0) return
    this.timer?.interruptUnsafe()
    const { loss } = this
    if (!this.isReported && loss === undefined) return
    const millis = Math.round(this.now() - this.since)
    if (loss === undefined) this.log.info(`connected to ${this.server}`, { millis })
    // A short outage has this line alone.
    else this.log.info(`connected to ${this.server} again`, { millis, loss })
  }

  close(): void {
    this.isClosed = true
    this.down.clear()
    this.timer?.interruptUnsafe()
  }
}
