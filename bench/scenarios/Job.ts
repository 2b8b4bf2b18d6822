/** What a worker process is told to do, and what it answers. */
import type { Variant } from "../peers/ours.ts"
import type { DataOptions } from "../Wire.ts"

export type ScenarioName =
  | "declare"
  | "publish"
  | "consume"
  | "latency"
  | "embedded"
  | "dead-letter"
  | "replay"
  | "ladder"
  | "soak"
  | "lanes"

export interface Job {
  readonly scenario: ScenarioName
  readonly peer: string
  readonly variant: Variant
  readonly url: string
  readonly subscriber: string
  /** Not counted: compilation and connections. */
  readonly warm: number
  readonly count: number
  readonly inFlight: number
  readonly prefetch: number
  /** Events a second, for latency; 0 does not wait for what was parked. */
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
  /** What everything else on the machine used, in cores. */
  readonly otherCores: number
  readonly rssMiB: number
  /** Milliseconds. */
  readonly p50?: number
  readonly p99?: number
  /** The most lanes that were seen at once. */
  readonly lanes?: number
  /** What is in use after a full collection, at the end, and how much more than after the warm-up. */
  readonly heapMiB?: number
  readonly heapGrowthMiB?: number
  /** Resident memory in MiB over the run, in equal parts of it. */
  readonly memory?: ReadonlyArray<number>
}
