/**
 * The wall clock of a process, stepped as by hand or by a time service. Monotonic time, and with it every timer, goes on.
 */
const { Date: Real } = globalThis
const trueTime = Real.now.bind(Real)
let offset = 0
const wall = (): number => trueTime() + offset

let isInstalled = false
const install = (): void => {
  if (isInstalled) return
  isInstalled = true
  Real.now = wall
  globalThis.Date = new Proxy(Real, {
    construct: (target, args: ReadonlyArray<unknown>, made) =>
      Reflect.construct(target, args.length === 0 ? [wall()] : args, made) as object // a date
  })
}

/** Sets the clock this far from the true one. */
export const setWallClock = (millis: number): void => {
  install()
  offset = millis
}

/** The mistake to measure waits by the wall clock. */
export const measureByWallClock = (): void => {
  install()
  performance.now = wall
}
