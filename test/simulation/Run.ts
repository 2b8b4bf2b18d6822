/**
 * One run: a world made from a seed, commands that happen to it, the end of all trouble, and the checks when
 * everything has come to rest. The same seed gives the same run, to the letter.
 */
import { Clock, Effect, Metric, Random } from "effect"
import { CurrentIds } from "../../src/bus/support/EventIds.ts"
import * as RandomSource from "../support/RandomSource.ts"
import * as Commands from "./Commands.ts"
import type { Violation } from "./Observations.ts"
import * as RealTime from "./RealTime.ts"
import * as SimClock from "./SimClock.ts"
import * as Setup from "./Setup.ts"
import type { Bugs, PortBug } from "./Life.ts"
import * as PromiseChecks from "./PromiseChecks.ts"
import * as World from "./World.ts"

export interface Report {
  readonly seed: number
  readonly violations: ReadonlyArray<Violation>
  readonly trace: ReadonlyArray<string>
  /** The outcome of each publish. */
  readonly outcomes: ReadonlyArray<string>
  readonly figures: PromiseChecks.Figures
}

RealTime.ignoreEventLoop()

/** Simulated milliseconds within which everything must come to rest. */
const patience = 20 * 60_000
/** The same where keys are parked for eleven minutes at a time, one event after the other. */
const parkedPatience = 40 * 60 * 60_000

export const once = (
  seed: number,
  options: { readonly bug?: PortBug | Bugs; readonly setup?: Partial<Setup.Setup> } = {}
): Promise<Report> => {
  const setup = { ...Setup.make(seed), ...options.setup }
  const ids = { count: 0 }
  const random = RandomSource.forPurpose(seed, "clock")
  const clock = SimClock.make(() => random.int(1, 3))
  const run = Effect.scoped(simulate(setup, clock, bugsOf(options.bug))).pipe(
    Effect.provideService(CurrentIds, { next: () => `i${++ids.count}` }),
    Effect.provideService(Metric.MetricRegistry, new Map()),
    Effect.provideService(Clock.Clock, clock),
    Random.withSeed(`sim-${seed}`)
  )
  return RealTime.endingTimers(() => Effect.runPromise(run))
}

const bugsOf = (bug: PortBug | Bugs = {}): Bugs => (typeof bug === "function" ? { port: bug } : bug)

const simulate = Effect.fnUntraced(function* (setup: Setup.Setup, clock: SimClock.SimClock, bugs: Bugs) {
  const world = yield* World.make({ setup, bugs, clock })
  const { observed, server } = world
  const commands = Commands.make(world)
  for (let slot = 0; slot < setup.slots; slot++) world.processes.start(slot)
  yield* world.turns(RandomSource.forPurpose(setup.seed, "start").pick([0, 5, 40]))
  for (let i = 0; i < setup.count; i++) yield* commands.step
  yield* commands.heal
  yield* world.turns(4)
  // Publishes that a silent broker never confirmed are settled by the end of its connection.
  server.disconnect("stored")
  server.reconnect()

  const rested = (): boolean => {
    const { delayed, ready, sending, unacked } = server.counts()
    return world.publishing.open + world.processes.leaving + delayed + ready + sending + unacked === 0 && world.whole()
  }
  const from = observed.now()
  const most = setup.subscribers.some(({ policy }) => policy === "patient") ? parkedPatience : patience
  let calm = 0
  let still = 0
  let before = 0
  while (calm < 2 && observed.now() - from < most) {
    yield* world.turns(3)
    if (rested() && (yield* world.waiting) === 0) calm++
    else calm = 0
    // While only reminders of parked keys happen, time jumps from one to the next.
    still = observed.trace.length === before ? still + 1 : 0
    before = observed.trace.length
    const next = (clock.next() ?? 0) - observed.now()
    if (most > patience && still > 60) yield* world.pass(Math.max(1, next))
    else yield* world.pass(Math.min(500, Math.max(100, (server.nextDue() ?? 0) - observed.now())))
  }
  if (calm < 2)
    observed.violate(
      "P11",
      `no rest in ${most} ms: ${JSON.stringify(server.counts())}, ${yield* world.waiting} waiting, ${world.publishing.open} publishes, ${world.processes.leaving} leaving, ${world.processes.ready().length} processes`
    )
  const figures = yield* PromiseChecks.check(world)
  const outcomes = [...observed.intents.values()]
    .flat()
    .map(({ n, outcome }) => `#${n} ${outcome?._tag === "Failed" ? outcome.reason : outcome?._tag}`)
  return {
    seed: setup.seed,
    violations: observed.violations,
    trace: observed.trace,
    outcomes,
    figures
  } satisfies Report
})
