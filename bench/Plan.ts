/** The experiments of a whole run, and how many events they have. */
import type { Lab } from "./Lab.ts"
import { peerNames } from "./peers/index.ts"
import type { Variant } from "./peers/ours.ts"
import type { Entry, Experiment } from "./Rounds.ts"
import type { Job } from "./scenarios/Job.ts"

export interface Size {
  readonly warm: number
  readonly count: number
  readonly latency: number
  readonly parked: number
}

export const whole: Size = { warm: 15_000, count: 50_000, latency: 2_000, parked: 20_000 }
export const quick: Size = { warm: 2_000, count: 10_000, latency: 500, parked: 2_000 }

const sink = "bench.sink"
const steady = "bench.steady"
const keyed = "bench.keyed"
const classic = "bench.classic"
const letters = "bench.letters"
const parked = "bench.parked"

/** Declares the queues of all experiments, once. `withStarts` needs the built library. */
export const prepare = async (lab: Lab, withStarts: boolean): Promise<void> => {
  for (const subscriber of [sink, steady, letters, parked]) await lab.run({ scenario: "declare", subscriber })
  await lab.run({ scenario: "declare", subscriber: keyed, variant: { ordering: "key" } })
  await lab.declareClassic(classic)
  if (!withStarts) return
  for (const script of ["ours", "raw", "amqplib"]) await lab.start(script)
}

const restSeconds = 300

interface Way {
  readonly name: string
  readonly peer: string
  readonly variant?: Variant
  readonly subscriber?: string
  readonly foreignQueue?: boolean
  readonly folder?: string
}

const nothing = { events: 1, cpuMicros: 0, brokerMicros: 0, otherCores: 0, rssMiB: 0 }

/** How much is measured: every peer and queue type, or what the targets are about. */
export type Breadth = "all" | "targets"

/** `against` is `bench/` of another checkout, measured beside this one as "before". */
export const plan = (lab: Lab, size: Size, breadth: Breadth, against?: string): ReadonlyArray<Experiment> => {
  // rascal has at most five events in flight: it would take minutes where the others take seconds.
  const part = ({ peer }: Way, count: number): number => (peer === "rascal" ? Math.ceil(count / 8) : count)
  const common = ({
    foreignQueue = false,
    peer,
    subscriber = sink,
    variant = {}
  }: Way): Partial<Job> & {
    readonly subscriber: string
  } => ({ peer, variant, subscriber, foreignQueue })
  // Twice the events: until the new space of the heap has grown, a publish costs half as much again.
  const publish = (way: Way): Entry => ({
    name: way.name,
    run: async () => {
      await lab.purge(way.subscriber ?? sink)
      return lab.run(
        { ...common(way), scenario: "publish", warm: part(way, size.warm * 2), count: part(way, size.count * 2) },
        { folder: way.folder }
      )
    }
  })
  const consume = (way: Way): Entry => ({
    name: way.name,
    run: async () => {
      const { subscriber = sink } = way
      await lab.purge(subscriber)
      await lab.supply(
        [subscriber],
        size.warm + size.count + 2_000,
        way.variant?.ordering === "key" ? { keys: 1000 } : {}
      )
      return lab.run(
        { ...common(way), scenario: "consume", warm: size.warm, count: size.count },
        { folder: way.folder }
      )
    }
  })
  const latency = (way: Way): Entry => ({
    name: way.name,
    run: async () => {
      await lab.purge(steady)
      return lab.run(
        {
          ...common({ ...way, subscriber: steady }),
          scenario: "latency",
          warm: Math.ceil(size.latency / 2),
          count: size.latency
        },
        { folder: way.folder }
      )
    }
  })
  const chosen: ReadonlyArray<string> = breadth === "all" ? peerNames : ["raw", "raw-nodelay", "ours"]
  const peers: ReadonlyArray<Way> = chosen.map((name) => ({ name, peer: name }))
  const before: ReadonlyArray<Way> = against === undefined ? [] : [{ name: "before", peer: "ours", folder: against }]
  const ours = (name: string, variant: Variant, subscriber = sink): Way => ({ name, peer: "ours", variant, subscriber })
  const classics: ReadonlyArray<Experiment> = [
    {
      id: "publish, classic",
      title: "Publish to a classic queue, at most 1,000 in flight",
      entries: ["raw", "ours"].map((peer) => publish({ name: peer, peer, subscriber: classic, foreignQueue: true }))
    },
    {
      id: "consume, classic",
      title: "Consume from a classic queue, prefetch 250",
      entries: ["raw", "ours"].map((peer) => consume({ name: peer, peer, subscriber: classic, foreignQueue: true }))
    }
  ]
  return [
    {
      id: "publish",
      title: "Publish to a quorum queue, at most 1,000 in flight",
      entries: [
        ...[...peers, ...before].map(publish),
        {
          name: "ours, publishAll",
          run: async () => {
            await lab.purge(sink)
            return lab.run({
              scenario: "publish-all",
              subscriber: sink,
              warm: size.warm * 2,
              count: size.count * 2
            })
          }
        },
        publish(ours("ours, every span sampled", { traced: true })),
        publish(ours("ours, cache on (Redis)", { cached: true, redisUrl: lab.redisUrl })),
        publish(ours("ours, cache on (process)", { cached: true }))
      ]
    },
    {
      id: "consume",
      title: "Consume from a quorum queue, prefetch 250",
      entries: [
        ...[...peers, ...before].map(consume),
        consume(ours("ours, batches of 500", { batch: 500 })),
        consume(ours("ours, by key", { ordering: "key" }, keyed)),
        consume(ours("ours, every span sampled", { traced: true }))
      ]
    },
    {
      id: "latency",
      title: "Publish to handler at 500 events/s, quorum queue",
      entries: [...peers, ...before].map(latency)
    },
    ...(breadth === "all" ? classics : []),
    {
      id: "dead letters",
      title: "Dead-letter, replay and park on the ladder, prefetch 250",
      entries: [
        {
          name: "dead-letter",
          run: async () => {
            await lab.purge(letters)
            // The same warm-up as the entry that it is compared with.
            await lab.supply([letters], size.warm + size.parked)
            return lab.run({ scenario: "dead-letter", subscriber: letters, warm: size.warm, count: size.parked })
          }
        },
        {
          name: "replay",
          run: async () => {
            // Its own dead letters, whatever the order of the round.
            await lab.purge(letters)
            const { parked: count, warm } = size
            await lab.supply([letters], warm + count)
            await lab.run({ scenario: "dead-letter", subscriber: letters, count: warm + count })
            return lab.run({ scenario: "replay", subscriber: letters, warm, count })
          }
        },
        {
          name: "park",
          run: async () => {
            await lab.purge(parked)
            await lab.supply([parked], size.warm + size.parked)
            return lab.run({ scenario: "ladder", subscriber: parked, warm: size.warm, count: size.parked })
          }
        }
      ]
    },
    {
      id: "embedded",
      title: "Embedded bus: publish to handler",
      entries: ["ours", ...before.map(({ name }) => name)].map((name) => ({
        name,
        run: () =>
          lab.run(
            { scenario: "embedded", subscriber: "bench.embedded", warm: size.warm * 2, count: size.count * 2 },
            { folder: name === "before" ? against : undefined }
          )
      }))
    },
    {
      id: "start",
      title: "Start of a process to its first delivered event",
      entries: ["ours", "raw", "amqplib"].map((name) => ({
        name,
        run: async () => {
          const { millis } = await lab.start(name)
          return { ...nothing, seconds: millis / 1000, p50: millis }
        }
      }))
    },
    {
      id: "import",
      title: "Import",
      entries: ["door", "createEventBus", "effect"].map((name) => ({
        name,
        run: async () => {
          const { said } = await lab.start("import", name)
          const [millis = Number.NaN, cpuMicros = Number.NaN] = String(said).split(" ").map(Number)
          return { ...nothing, seconds: millis / 1000, p50: millis, cpuMicros }
        }
      }))
    },
    {
      id: "rest",
      title: "Twelve subscribers at rest",
      // The longest of all: only where it is asked for.
      isRare: true,
      entries: [
        {
          name: "ours",
          run: () =>
            lab.run(
              { scenario: "rest", subscriber: "bench.rest", breadth: 12, count: restSeconds },
              { patience: restSeconds * 2000 }
            )
        }
      ]
    }
  ]
}
