/**
 * Whether this process does something that no test clock hurries: it waits for a socket, a file, another process or a
 * real timer, or it computes in another thread. A handler that waits for the test clock, or for ever, does none of it.
 */
import * as Effect from "effect/Effect"
import { createHook } from "node:async_hooks"

export class RealWork {
  /** The timers that were set while this watches: those from before are none of a handler's. */
  private readonly timers = new Map<number, object>()
  private readonly hook = createHook({
    init: (id, type, _trigger, resource) => {
      if (type === "Timeout") this.timers.set(id, resource)
    },
    destroy: (id) => {
      this.timers.delete(id)
    }
  })
  private cpu = process.cpuUsage()

  /** Watches until the current scope closes. */
  static readonly watch = Effect.acquireRelease(
    Effect.sync(() => {
      const work = new RealWork()
      work.hook.enable()
      return work
    }),
    (work) => Effect.sync(() => work.hook.disable())
  )

  /** Starts to measure what is computed. */
  begin(): void {
    this.cpu = process.cpuUsage()
  }

  /** Whether anything computed since `begin`, in which this thread did nothing. */
  hasComputed(): boolean {
    const { system, user } = process.cpuUsage(this.cpu)
    return user + system > idleMicros
  }

  /** Whether Node waits for anything. To be called in no timer, which would count itself. */
  isVisible(): boolean {
    return (
      [...this.timers.values()].some(keepsProcess) ||
      process.getActiveResourcesInfo().some((name) => name !== "Timeout" && !surroundings.has(name))
    )
  }
}

/** Standard input and output, and the channels between a test framework and its processes. */
const surroundings: ReadonlySet<string> = new Set(["PipeWrap", "TTYWrap", "MessagePort"])
/** What a process that only waits uses of the processor in a few milliseconds. */
const idleMicros = 2_000

/** Timers that do not keep the process wait for nothing that matters to it. */
const keepsProcess = (timer: object): boolean =>
  !("hasRef" in timer) || typeof timer.hasRef !== "function" || timer.hasRef() === true
