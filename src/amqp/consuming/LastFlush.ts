/**
 * Sends the acknowledgements that still wait when the process ends by `process.exit` or by an uncaught error, so that
 * what was handled is not handled again. A process that is killed from outside runs nothing any more.
 */
const flushes = new Set<() => void>()

const flushAll = (): void => {
  for (const flush of flushes) flush()
}

/** Calls `flush`, which must not throw, when the process ends. */
export const add = (flush: () => void): void => {
  if (flushes.size === 0) process.on("exit", flushAll)
  flushes.add(flush)
}

export const remove = (flush: () => void): void => {
  if (flushes.delete(flush) && flushes.size === 0) process.removeListener("exit", flushAll)
}
