/** What goes wrong when: a list of steps that depends on the seed alone. */
import { type Chance, chance } from "./Chance.ts"
import {
  brokerFaults,
  failpointsOf,
  type Fault,
  type FaultKind,
  networkFaults,
  processFaults,
  redisFaults
} from "./Faults.ts"

export interface Planned {
  /** Done together; the second begins `offset` milliseconds after the first. */
  readonly faults: ReadonlyArray<Fault>
  readonly offset: number
  /** Nothing is done for so long afterwards. */
  readonly pause: number
}

/** Who is there to be hurt. */
export interface Cast {
  readonly publishers: ReadonlyArray<string>
  readonly subscribers: ReadonlyArray<string>
}

/** Everything once, some things several times; Redis alone, in a block of its own. */
const round: ReadonlyArray<FaultKind> = [
  ...networkFaults,
  ...brokerFaults,
  ...Array.from({ length: 3 }, () => "kill-publisher" as const),
  ...Array.from({ length: 4 }, () => "kill-subscriber" as const),
  "rolling-restart",
  "rolling-restart"
]

/** Enough for any length of run. */
export const planOf = (seed: number, cast: Cast, kinds?: ReadonlyArray<FaultKind>): ReadonlyArray<Planned> => {
  const random = chance(seed).fork("plan")
  if (kinds !== undefined) return kinds.map((kind) => alone(random, kind, cast))
  const steps: Array<Planned> = []
  for (let n = 0; n < 8; n++) {
    const order = random.shuffled(round)
    const half = Math.floor(order.length / 3)
    steps.push(...order.slice(0, half).map((kind) => paired(random, kind, cast)))
    steps.push(...random.shuffled(redisFaults).map((kind) => alone(random, kind, cast)))
    steps.push(...order.slice(half).map((kind) => paired(random, kind, cast)))
  }
  return steps
}

const alone = (random: Chance, kind: FaultKind, cast: Cast): Planned => ({
  faults: [faultOf(random, kind, cast)],
  offset: 0,
  pause: random.between(1500, 3500)
})

/** A process dies while the network or the broker is bad, now and then. */
const paired = (random: Chance, kind: FaultKind, cast: Cast): Planned => {
  const step = alone(random, kind, cast)
  const isProcess = processFaults.some((other) => other === kind)
  // What is deleted by hand must be looked at alone.
  if (isProcess || kind === "delete-queue" || random.next() > 0.3) return step
  const second = faultOf(random, random.pick(["kill-publisher", "kill-subscriber"]), cast)
  return { ...step, faults: [...step.faults, second], offset: random.between(0, 1500) }
}

const faultOf = (random: Chance, kind: FaultKind, { publishers, subscribers }: Cast): Fault => {
  const all = [...publishers, ...subscribers]
  const [low, high] = duration(kind)
  const millis = Math.round(random.between(low, high))
  switch (kind) {
    case "rst-one":
    case "stall-one":
    case "stall-down-rst":
    case "half-open":
    case "fin":
    case "slice":
    case "throttle":
      return { kind, millis, targets: [random.pick(all)] }
    case "rst-all":
      return { kind, millis, targets: all }
    case "rolling-restart":
      return { kind, millis, targets: random.shuffled(all) }
    case "kill-publisher":
    case "kill-subscriber": {
      const target = random.pick(kind === "kill-publisher" ? publishers : subscribers)
      const failpoint = random.pick([undefined, ...failpointsOf(kind)])
      return { kind, millis, targets: [target], ...(failpoint !== undefined && { failpoint }) }
    }
    default:
      return { kind, millis, targets: [] }
  }
}

const duration = (kind: FaultKind): readonly [number, number] => {
  switch (kind) {
    case "stall-one":
    case "half-open":
    case "freeze-node":
      return [7000, 9000]
    case "stall-down-rst":
      return [500, 2500]
    case "memory-alarm":
    case "disk-alarm":
      return [4000, 6000]
    case "slice":
    case "throttle":
      return [3000, 5000]
    case "redis-kill":
    case "redis-freeze":
    case "redis-readonly":
    case "redis-oom":
      return [2000, 4000]
    case "redis-flush":
      return [500, 500]
    default:
      return [200, 1500]
  }
}

/** One line for each step, the same for the same seed. */
export const describePlan = (steps: ReadonlyArray<Planned>): ReadonlyArray<string> =>
  steps.map(({ faults, offset }) =>
    faults
      .map(
        ({ failpoint, kind, millis, targets }, i) =>
          `${kind}${targets.length === 0 ? "" : ` ${targets.join("+")}`} ${millis} ms${failpoint === undefined ? "" : ` at ${failpoint}`}${i === 0 ? "" : ` (+${Math.round(offset)} ms)`}`
      )
      .join(" and ")
  )
