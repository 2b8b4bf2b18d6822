/**
 * Measures time, the CPU of this process and of the broker, and the CPU that everything else used meanwhile. It reads
 * /proc, so the CPU of other processes is known on Linux only; elsewhere it is 0.
 */
import { readFileSync } from "node:fs"

const ticksPerSecond = 100

const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

/** Busy CPU seconds of the whole machine. */
const busySeconds = (): number => {
  const first = textOf("/proc/stat")?.split("\n", 1)[0]?.trim().split(/\s+/).slice(1).map(Number) ?? []
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = first
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond
}

/** CPU seconds of one process. */
const secondsOf = (pid: number): number => {
  const stat = textOf(`/proc/${pid}/stat`)
  if (stat === undefined) return 0
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / ticksPerSecond
}

export interface Reading {
  readonly seconds: number
  readonly cpuMicros: number
  readonly brokerMicros: number
  readonly otherCores: number
  readonly rssMiB: number
}

/** Starts measuring; the result reads the values since then. */
export const start = (brokerPid: number): (() => Reading) => {
  const cpu = process.cpuUsage()
  const busy = busySeconds()
  const broker = secondsOf(brokerPid)
  const at = performance.now()
  return () => {
    const seconds = (performance.now() - at) / 1000
    const own = process.cpuUsage(cpu)
    const cpuMicros = own.user + own.system
    const brokerSeconds = secondsOf(brokerPid) - broker
    return {
      seconds,
      cpuMicros,
      brokerMicros: brokerSeconds * 1e6,
      otherCores: Math.max(0, (busySeconds() - busy - brokerSeconds - cpuMicros / 1e6) / seconds),
      rssMiB: process.memoryUsage.rss() / 2 ** 20
    }
  }
}
