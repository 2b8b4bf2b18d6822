/** The job of a worker process, and its report. */
import type { Variant } from "../peers/ours.ts"
import type { DataOptions } from "../GradeMessage.ts"

export type ScenarioName =
  | "declare"
  | "publish"
  | "publish-all"
  | "consume"
  | "latency"
  | "embedded"
  | "dead-letter"
  | "replay"
  | "ladder"
  | "soak"
  | "lanes"
  | "rest"

export interface Job {
  readonly scenario: ScenarioName
  readonly peer: string
  readonly variant: Variant
  readonly url: string
  readonly subscriber: string
  /** Events before the measurement: compilation and connections are not counted. */
  readonly warm: number
  readonly count: number
  readonly inFlight: number
  readonly prefetch: number
  /** Events a second, for latency. For `ladder`: 0 does not wait for the delayed events. */
  readonly rate: number
  readonly data: DataOptions
  /** How many event types or subscribers take turns. */
  readonly breadth: number
  readonly foreignQueue: boolean
  /** Process id of the broker, whose CPU is counted as well. */
  readonly brokerPid: number
}

export interface Report {
  readonly events: number
  readonly seconds: number
  /** Microseconds of this process, compiler and garbage collector included. */
  readonly cpuMicros: number
  readonly brokerMicros: number
  /** Cores that everything else on the machine used. */
  readonly otherCores: number
  readonly rssMiB: number
  /** Milliseconds. */
  readonly p50?: number
  readonly p99?: number
  /** The highest number of lanes at once. */
  readonly lanes?: number
  /** At rest: how often the process began to wait for something, and how often it wrote to a socket. */
  readonly wakeUps?: number
  readonly writes?: number
  /** Heap in use after a full collection at the end, and how much it grew since the warm-up. */
  readonly heapMiB?: number
  readonly heapGrowthMiB?: number
  /** Resident memory in MiB, at equal intervals of the run. */
  readonly memory?: ReadonlyArray<number>
}
