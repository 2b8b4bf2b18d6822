/**
 * One life of a subscriber, from the declaration of its queue to the loss of its consumer. The supervisor runs
 * one life after the other.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Monotonic from "../../observe/Monotonic.ts"
import type * as Log from "../../observe/Log.ts"
import type { Runner } from "../handle/RunnerApi.ts"
import type { Broker, Depth, SubscriberSpec } from "../port/Broker.ts"
import { BrokerError } from "../port/BrokerError.ts"
import { BrokerRefused } from "../port/BrokerReason.ts"
import type { Consumers } from "./Consumers.ts"
import type { StatusTracker } from "./Status.ts"
import * as Watchdog from "./Watchdog.ts"

export interface LifeParts {
  readonly broker: Broker["Service"]
  readonly spec: SubscriberSpec
  readonly ephemeral: boolean
  readonly consumers: Consumers
  readonly runner: Runner
  readonly status: StatusTracker
  /** Its queue at the last inspection. */
  readonly depth: () => Depth | undefined
  readonly log: Log.Log
  /** Of an ephemeral subscriber: events may have been missed. */
  readonly onGap: () => void
}

const overrun = new BrokerError({
  reason: new BrokerRefused({
    operation: "handling",
    detail: "too many handlers ignore their deadline: restart the process"
  })
})

export class Life {
  /** Fails when the consumer is lost, nothing moves any more, or too many handlers ignore their deadline. */
  readonly run: Effect.Effect<never, BrokerError>
  /** Completes when the first life has begun to consume. */
  readonly started: Deferred.Deferred<void, BrokerError>
  private readonly parts: LifeParts
  private readonly now: Monotonic.Monotonic
  private runningSince: number | undefined

  constructor(parts: LifeParts, started: Deferred.Deferred<void, BrokerError>, clock: Clock.Clock) {
    this.parts = parts
    this.started = started
    this.now = Monotonic.of(clock)
    const { broker, consumers, depth, ephemeral, runner, spec, status } = parts
    const watched: Watchdog.Watched = {
      running: () => status.isRunning(),
      stuck: runner.stuck,
      consumers: () => depth()?.consumers
    }
    this.run = (ephemeral ? Effect.void : broker.declare(spec)).pipe(
      Effect.andThen(consumers.run(this.begin())),
      Effect.raceFirst(Watchdog.watch(watched)),
      Effect.raceFirst(Effect.andThen(runner.overrun, Effect.fail(overrun)))
    )
  }

  /** Ends this life and returns for how long it consumed, in milliseconds. */
  end(): number {
    const { runningSince } = this
    this.runningSince = undefined
    return runningSince === undefined ? 0 : this.now() - runningSince
  }

  private begin(): Effect.Effect<void> {
    const { ephemeral, status } = this.parts
    return Effect.gen({ self: this }, function* () {
      this.runningSince = this.now()
      yield* status.become("Running")
      yield* Deferred.succeed(this.started, undefined)
      // Not earlier: events published after this callback are not missed.
      if (ephemeral && status.restarts > 0) yield* this.reportGap()
    })
  }

  /** The callback belongs to the user: an error in it must not end the supervision. */
  private reportGap(): Effect.Effect<void> {
    const { log, onGap, spec } = this.parts
    return Effect.catchCause(Effect.sync(onGap), (cause) =>
      Effect.sync(() => log.error("onGap failed", { subscriber: spec.name, detail: Cause.pretty(cause) }))
    )
  }
}

export const make = Effect.fnUntraced(function* (parts: LifeParts) {
  return new Life(parts, yield* Deferred.make<void, BrokerError>(), yield* Clock.Clock)
})
