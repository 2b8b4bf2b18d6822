/** Which fault happens when: a list of steps that depends on the seed alone. */
import { fromSeed, type RandomSource } from "../support/RandomSource.ts"
import { clusterFaults } from "./ClusterFaults.ts"
import {
  brokerFaults,
  clockFaults,
  failpointsOf,
  type Fault,
  type FaultKind,
  networkFaults,
  processFaults,
  redisFaults,
  rightsFaults
} from "./Faults.ts"

export interface Planned {
  /** Injected together; the second one begins `offset` milliseconds after the first. */
  readonly faults: ReadonlyArray<Fault>
  readonly offset: number
  /** Milliseconds without a fault afterwards. */
  readonly pause: number
}

/** The processes that faults can hit. */
export interface Cast {
  readonly publishers: ReadonlyArray<string>
  readonly subscribers: ReadonlyArray<string>
  /** Those that killers end. */
  readonly mortals: ReadonlyArray<string>
  readonly operators: ReadonlyArray<string>
  /** Those that get new code. */
  readonly deployed: ReadonlyArray<string>
}

/** What every system meets in ordinary life: deploys, operators, rights, clocks, events that end their process. */
const ordinary: ReadonlyArray<FaultKind> = ["deploy", "killers", "delivery-limit", ...rightsFaults, ...clockFaults]

/** Every other fault once, some several times. Faults of Redis are a block of their own. */
const others: ReadonlyArray<FaultKind> = [
  ...networkFaults,
  ...brokerFaults,
  ...Array.from({ length: 3 }, () => "kill-publisher" as const),
  ...Array.from({ length: 4 }, () => "kill-subscriber" as const),
  "rolling-restart" as const,
  "rolling-restart" as const
].filter((kind) => !ordinary.includes(kind))

/** Enough steps for a run of any length. */
export const planOf = (seed: number, cast: Cast, kinds?: ReadonlyArray<FaultKind>): ReadonlyArray<Planned> => {
  const random = fromSeed(seed).fork("plan")
  if (kinds !== undefined) return asked(random, kinds, cast)
  const steps: Array<Planned> = []
  for (let n = 0; n < 8; n++) {
    const life = random.shuffled(ordinary)
    const order = random.shuffled(others)
    const half = Math.floor(life.length / 2)
    /** One of each kind after the other, so that a short run has both. */
    const mixed = (from: number, to: number) =>
      life.slice(from, to).flatMap((kind, i) => [kind, ...order.slice(from + i, from + i + 1)])
    const add = (kinds: ReadonlyArray<FaultKind>): void =>
      void steps.push(...kinds.map((kind) => paired(random, kind, cast)))
    add(mixed(0, half))
    steps.push(...random.shuffled(redisFaults).map((kind) => alone(random, kind, cast)))
    add(mixed(half, life.length))
    add(order.slice(life.length))
  }
  return steps
}

/** Several deploys go through the changes in turn, so that a list of them has each step of a change. */
const asked = (random: RandomSource, kinds: ReadonlyArray<FaultKind>, cast: Cast): ReadonlyArray<Planned> => {
  let deploys = 0
  return kinds.map((kind) => {
    const step = alone(random, kind, cast)
    if (kind !== "deploy") return step
    const n = deploys++
    const change = changes[n % changes.length] ?? "event"
    return { ...step, faults: step.faults.map((fault) => ({ ...fault, deploy: { change, rollsBack: n % 2 === 0 } })) }
  })
}
/** The event is added by the first and removed by the second. */
const changes = ["event", "event", "version", "version", "name"] as const

/** On a cluster: each of its faults among those of processes, networks and ordinary life. */
export const planOfCluster = (seed: number, cast: Cast, canCut: boolean): ReadonlyArray<Planned> => {
  const random = fromSeed(seed).fork("plan of a cluster")
  const nodes = clusterFaults.filter((kind) => canCut || kind !== "node-cut")
  const beside: ReadonlyArray<FaultKind> = [
    ...networkFaults,
    ...clockFaults,
    ...rightsFaults,
    "redis-clock",
    "kill-publisher",
    "kill-subscriber",
    "kill-subscriber",
    "rolling-restart"
  ]
  const steps: Array<Planned> = []
  for (let n = 0; n < 8; n++) {
    const others = random.shuffled(beside)
    for (const [i, kind] of random.shuffled(nodes).entries()) {
      const step = alone(random, kind, cast)
      const pause = random.between(4000, 7000)
      // Now and then a process dies while a node is down.
      const second = faultOf(random, random.pick(["kill-publisher", "kill-subscriber"]), cast)
      const isPaired = kind !== "redis-failover" && random.next() < 0.3
      steps.push({
        ...step,
        pause,
        ...(isPaired && { faults: [...step.faults, second], offset: random.between(0, 3000) })
      })
      steps.push(...others.slice(i, i + 1).map((other) => alone(random, other, cast)))
    }
  }
  return steps
}

const alone = (random: RandomSource, kind: FaultKind, cast: Cast): Planned => ({
  faults: [faultOf(random, kind, cast)],
  offset: 0,
  pause: random.between(1500, 3500)
})

/** Now and then a process dies while the network or the broker is faulty. */
const paired = (random: RandomSource, kind: FaultKind, cast: Cast): Planned => {
  const step = alone(random, kind, cast)
  const isProcess = processFaults.some((other) => other === kind)
  // A deleted queue is judged alone, and so is an operator's limit, which bounds how often a process may end.
  if (isProcess || kind === "delete-queue" || kind === "delivery-limit" || random.next() > 0.3) return step
  const second = faultOf(random, random.pick(["kill-publisher", "kill-subscriber"]), cast)
  return { ...step, faults: [...step.faults, second], offset: random.between(0, 1500) }
}

const faultOf = (
  random: RandomSource,
  kind: FaultKind,
  { deployed, mortals, operators, publishers, subscribers }: Cast
): Fault => {
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
    case "take-topic":
    case "take-write":
      return { kind, millis, targets: [random.pick(publishers)] }
    case "take-copies":
      return { kind, millis, targets: [random.pick(subscribers)] }
    case "clock-publisher":
    case "clock-subscriber":
      return {
        kind,
        millis,
        targets: [random.pick(kind === "clock-publisher" ? publishers : subscribers)],
        step: random.pick([hour, -hour])
      }
    case "redis-clock":
      return { kind, millis, targets: [], step: random.pick([hour, -hour]) }
    case "node-kill":
    case "node-hang":
    case "node-cut":
    case "majority-lost":
    case "leaders-move":
    case "node-drain":
    case "node-alarm":
    case "consumer-timeout":
      return { kind, millis, targets: [], at: Math.floor(random.below(clusterSize)) }
    case "rolling-restart":
      return { kind, millis, targets: random.shuffled(all) }
    case "kill-publisher":
    case "kill-subscriber": {
      const target = random.pick(kind === "kill-publisher" ? publishers : subscribers)
      const failpoint = random.pick([undefined, ...failpointsOf(kind)])
      return { kind, millis, targets: [target], ...(failpoint !== undefined && { failpoint }) }
    }
    case "deploy": {
      const change = random.pick(["event", "event", "version", "name"] as const)
      return { kind, millis: 0, targets: deployed, deploy: { change, rollsBack: random.next() < 0.5 } }
    }
    case "delivery-limit":
      return { kind, millis, targets: operators }
    case "killers":
      return {
        kind,
        millis: 0,
        targets: mortals,
        killers: {
          flow: random.pick(["mortal", "mortal-by-key"]),
          count: random.pick([1, 1, 2]),
          place: random.pick(["first", "middle", "last"]),
          after: random.pick([0, 0, 5, 20, 60])
        }
      }
    default:
      return { kind, millis, targets: [] }
  }
}

const hour = 3_600_000
const clusterSize = 3

const duration = (kind: FaultKind): readonly [number, number] => {
  switch (kind) {
    case "stall-one":
    case "half-open":
    case "freeze-node":
      return [7000, 9000]
    case "stall-down-rst":
      return [500, 2500]
    case "memory-alarm":
    case "delivery-limit":
    case "disk-alarm":
    case "take-topic":
    case "take-write":
    case "take-copies":
    case "clock-publisher":
    case "clock-subscriber":
    case "redis-clock":
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
    case "node-hang":
    case "node-cut":
      return [10_000, 25_000]
    case "majority-lost":
      return [5000, 15_000]
    case "node-kill":
    case "node-drain":
    case "node-alarm":
    case "consumer-timeout":
      return [4000, 8000]
    default:
      return [200, 1500]
  }
}

/** One line for each step, the same for the same seed. */
export const describePlan = (steps: ReadonlyArray<Planned>): ReadonlyArray<string> =>
  steps.map(({ faults, offset }) =>
    faults
      .map(
        ({ at, deploy, failpoint, kind, killers, millis, step, targets }, i) =>
          `${kind}${killers === undefined ? "" : ` ${killers.count} of ${killers.flow}, ${killers.place}, after ${killers.after} ms`}${deploy === undefined ? "" : ` of one ${deploy.change}${deploy.rollsBack ? ", rolled back once" : ""}`}${targets.length === 0 ? "" : ` ${targets.join("+")}`}${at === undefined ? "" : ` at node ${at}`} ${millis} ms${step === undefined ? "" : ` by ${step / hour} h`}${failpoint === undefined ? "" : ` at ${failpoint}`}${i === 0 ? "" : ` (+${Math.round(offset)} ms)`}`
      )
      .join(" and ")
  )
