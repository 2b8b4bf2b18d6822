/**
 * Keeps simulated processes from measuring the real event loop: one that is killed never stops to do so, and after a thousand
 * runs their timers take more time and memory than what is simulated.
 */
import { syncBuiltinESMExports } from "node:module"
import perfHooks from "node:perf_hooks"

const silent = { enable: () => true, disable: () => true, reset: () => {}, max: 0 }

/** From now on in this process. */
export const ignoreEventLoop = (): void => {
  Object.assign(perfHooks, { monitorEventLoopDelay: () => silent })
  syncBuiltinESMExports()
}

const real = globalThis.setInterval

/** What begins within it and repeats ends with it. */
export const endingTimers = async <A>(run: () => Promise<A>): Promise<A> => {
  const timers: Array<NodeJS.Timeout> = []
  const collecting = (handler: () => void, millis?: number): NodeJS.Timeout => {
    const timer = real(handler, millis)
    timers.push(timer)
    return timer
  }
  globalThis.setInterval = Object.assign(collecting, real)
  try {
    return await run()
  } finally {
    globalThis.setInterval = real
    for (const timer of timers) clearInterval(timer)
  }
}
