/**
 * One run: a world made of a seed, so many things that happen to it, the end of all trouble, and the
 * verdict when everything has come to rest. The same seed is the same run, to the letter.
 */
import { Clock, Effect, Metric, Random } from "effect"
import { CurrentIds } from "../../src/bus/Ids.ts"
import * as Chance from "./Chance.ts"
import * as Commands from "./Commands.ts"
import type { Violation } from "./Ledger.ts"
import * as SimClock from "./SimClock.ts"
import * as Setup from "./Setup.ts"
import type * as Tap from "./Tap.ts"
import * as Verdict from "./Verdict.ts"
import * as World from "./World.ts"

export interface Report {
  readonly seed: number
  readonly violations: ReadonlyArray<Violation>
  readonly trace: ReadonlyArray<string>
  /** What the publisher of each event was told. */
  readonly outcomes: ReadonlyArray<string>
  readonly figures: Verdict.Figures
}

/** Simulated milliseconds in which everything comes to rest. */
const patience = 20 * 60_000
/** The same where keys are parked for eleven minutes at a time, one event after the other. */
const parkedPatience = 40 * 60 * 60_000

export const once = (
  seed: number,
  options: { readonly bug?: Tap.Bug | Tap.Bugs; readonly setup?: Partial<Setup.Setup> } = {}
): Promise<Report> => {
  const setup = { ...Setup.make(seed), ...options.setup }
  const ids = { count: 0 }
  const chance = Chance.of(seed, "clock")
  const clock = SimClock.make(() => chance.int(1, 3))
  return Effect.runPromise(
    Effect.scoped(simulate(setup, clock, bugsOf(options.bug))).pipe(
      Effect.provideService(CurrentIds, { next: () => `i${++ids.count}` }),
      Effect.provideService(Metric.MetricRegistry, new Map()),
      Effect.provideService(Clock.Clock, clock),
      Random.withSeed(`sim-${seed}`)
    )
  )
}

const bugsOf = (bug: Tap.Bug | Tap.Bugs = {}): Tap.Bugs => (typeof bug === "function" ? { port: bug } : bug)

const simulate = Effect.fnUntraced(function* (setup: Setup.Setup, clock: SimClock.SimClock, bugs: Tap.Bugs) {
  const world = yield* World.make({ setup, bugs, clock })
  const { ledger, server } = world
  const commands = Commands.make(world)
  for (let slot = 0; slot < setup.slots; slot++) world.start(slot)
  yield* world.turns(Chance.of(setup.seed, "start").pick([0, 5, 40]))
  for (let i = 0; i < setup.count; i++) yield* commands.step
  yield* commands.heal
  yield* world.turns(4)
  // What a silent broker never confirmed is settled by the end of its connection.
  server.disconnect("stored")
  server.reconnect()

  const rested = (): boolean => {
    const { delayed, ready, sending, unacked } = server.counts()
    return world.open() + world.leaving() + delayed + ready + sending + unacked === 0 && world.whole()
  }
  const from = ledger.now()
  const most = setup.subscribers.some(({ policy }) => policy === "patient") ? parkedPatience : patience
  let calm = 0
  let still = 0
  let before = 0
  while (calm < 2 && ledger.now() - from < most) {
    yield* world.turns(3)
    if (rested() && (yield* world.waiting) === 0) calm++
    else calm = 0
    // Where nothing happens but reminders of what is parked time goes from one of them to the next.
    still = ledger.trace.length === before ? still + 1 : 0
    before = ledger.trace.length
    const next = (clock.next() ?? 0) - ledger.now()
    if (most > patience && still > 60) yield* world.pass(Math.max(1, next))
    else yield* world.pass(Math.min(500, Math.max(100, (server.nextDue() ?? 0) - ledger.now())))
  }
  if (calm < 2)
    ledger.violate(
      "P11",
      `no rest in ${most} ms: ${JSON.stringify(server.counts())}, ${yield* world.waiting} waiting, ${world.open()} publishes, ${world.leaving()} leaving, ${world.processes().length} processes`
    )
  const figures = yield* Verdict.of(world)
  const outcomes = [...ledger.intents.values()]
    .flat()
    .map(({ n, told }) => `#${n} ${told?._tag === "Failed" ? told.reason : told?._tag}`)
  return { seed: setup.seed, violations: ledger.violations, trace: ledger.trace, outcomes, figures } satisfies Report
})
