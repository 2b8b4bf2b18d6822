/** Which fault happens when: a list of steps that depends on the seed alone. */
import { fromSeed, type RandomSource } from "../support/RandomSource.ts"
import {
  brokerFaults,
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

/** What every system meets in ordinary life: deploys, operators, rights, events that end their process. */
const ordinary: ReadonlyArray<FaultKind> = ["deploy", "killers", "delivery-limit", ...rightsFaults]

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
  if (kinds !== undefined) return kinds.map((kind) => alone(random, kind, cast))
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
        ({ deploy, failpoint, kind, killers, millis, targets }, i) =>
          `${kind}${killers === undefined ? "" : ` ${killers.count} of ${killers.flow}, ${killers.place}, after ${killers.after} ms`}${deploy === undefined ? "" : ` of one ${deploy.change}${deploy.rollsBack ? ", rolled back once" : ""}`}${targets.length === 0 ? "" : ` ${targets.join("+")}`} ${millis} ms${failpoint === undefined ? "" : ` at ${failpoint}`}${i === 0 ? "" : ` (+${Math.round(offset)} ms)`}`
      )
      .join(" and ")
  )
