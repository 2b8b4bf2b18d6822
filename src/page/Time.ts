/** Time on the page: what is done again and again, and how moments are written. */

/** The clock of the browser: what is compared with it are times of the wall, and the page runs without Effect. */
export const now = (): number => Date.now()

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

export interface Repeated {
  readonly stop: () => void
  /** Does it at once. */
  readonly again: () => void
}

/** Does something now and then again, this long after it ended. A page that nobody sees asks for nothing. */
export const repeat = (millis: number, work: () => Promise<void>): Repeated => {
  let timer: ReturnType<typeof setTimeout> | undefined
  let isStopped = false
  let isRunning = false
  const run = async (): Promise<void> => {
    clearTimeout(timer)
    if (isStopped || isRunning) return
    if (document.hidden) return
    isRunning = true
    await work().finally(() => void (isRunning = false))
    if (!isStopped) timer = setTimeout(() => void run(), millis)
  }
  const onVisible = (): void => void run()
  document.addEventListener("visibilitychange", onVisible)
  void run()
  return {
    stop: () => {
      isStopped = true
      clearTimeout(timer)
      document.removeEventListener("visibilitychange", onVisible)
    },
    again: () => void run()
  }
}

const stamps = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" })

/** A moment in the time of the reader, or a dash. */
export const stamp = (iso: string | null): string => {
  const time = iso === null ? Number.NaN : Date.parse(iso)
  return Number.isNaN(time) ? "–" : stamps.format(time)
}

const units: ReadonlyArray<readonly [seconds: number, name: string]> = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"]
]

/** How long ago: `5 min`. */
export const ago = (iso: string | null): string => {
  const seconds = iso === null ? Number.NaN : (now() - Date.parse(iso)) / 1000
  if (Number.isNaN(seconds)) return "–"
  const [size, name] = units.find(([size]) => seconds >= size) ?? [1, "s"]
  return `${Math.max(0, Math.floor(seconds / size))} ${name}`
}
