/**
 * Takes the suspects of a subscriber without ordering from their queue, one at a time. A suspect is asked for only when its
 * handler can start at once, because RabbitMQ counts what a process held when it died, and not what had started there.
 */
import * as Effect from "effect/Effect"
import type * as Log from "../../observe/Log.ts"
import * as ControlMessage from "../delivery/ControlMessage.ts"
import type { Origin, Work } from "../delivery/Work.ts"
import type { Runner } from "../handle/RunnerApi.ts"
import type { Trial, Trials } from "../handle/Trials.ts"
import { type Isolation, remindMillis } from "../park/Isolation.ts"
import type { Broker, Delivery } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import * as ConsumerSession from "./ConsumerSession.ts"
import type { Inbox, InboxFilter } from "./Inbox.ts"

const lookEvery = "5 seconds"
/** Until a permit is free. */
const pollEvery = "50 millis"
/** Events that are to become suspects while one runs. */
const othersWaitAtMost = "1 second"
/** Another process may have taken it. */
const arrivesWithin = "1 second"

export interface SuspectLaneParts {
  readonly broker: Broker["Service"]
  readonly subscriber: { readonly name: string }
  readonly runner: Runner
  readonly isolation: Isolation
  readonly trials: Trials
  readonly inbox: () => Inbox
  readonly log: Log.Log
}

export class SuspectLane implements InboxFilter {
  /** Takes suspects as long as there are any, and waits for more. */
  readonly run: Effect.Effect<never>
  private readonly parts: SuspectLaneParts

  constructor(parts: SuspectLaneParts) {
    this.parts = parts
    const { isolation } = parts
    const remind = Effect.suspend(() => (isolation.mustRemind() ? isolation.remind : Effect.void))
    const reminding = Effect.forever(
      Effect.andThen(isolation.wanted.await, Effect.andThen(Effect.sleep(remindMillis), remind))
    )
    const taking = Effect.forever(Effect.andThen(isolation.wanted.await, this.takeOne()))
    // A process that died may have left some.
    this.run = Effect.andThen(
      Effect.sync(() => isolation.watch()),
      Effect.raceFirst(taking, reminding)
    )
  }

  /** Takes control messages: there may be suspects that another process left. */
  keeps(delivery: Delivery, origin: Origin): boolean {
    if (!delivery.trusted || delivery.lost() || ControlMessage.read(delivery) === undefined) return false
    if (!this.parts.isolation.wanted.isOpen()) this.parts.isolation.watch()
    delivery.ack()
    origin.settled(delivery)
    return true
  }

  accepted(): void {}

  private takeOne(): Effect.Effect<void> {
    const { broker, isolation, log, subscriber } = this.parts
    return Effect.gen({ self: this }, function* () {
      isolation.stored.closeUnsafe()
      const { ready } = yield* broker.depth(subscriber.name, "parked")
      isolation.isThere = true
      if (ready > 0) {
        isolation.saw()
        return yield* this.fetch()
      }
      isolation.sawNone(false)
      if (isolation.wanted.isOpen()) yield* Effect.raceFirst(Effect.sleep(lookEvery), isolation.stored.await)
    }).pipe(
      Effect.catch((error: BrokerError) => {
        const isGone = error.reason._tag === "TopologyMissing"
        isolation.sawNone(isGone)
        if (isGone) return Effect.void
        log.warning("suspects cannot be taken", { subscriber: subscriber.name, detail: error.message })
        return Effect.sleep(lookEvery)
      })
    )
  }

  private fetch(): Effect.Effect<void, BrokerError> {
    const { isolation, runner, trials } = this.parts
    return Effect.suspend(() => {
      runner.reserve(true)
      const trial: Trial | undefined =
        isolation.needsTrial || trials.isOn ? { work: undefined, timer: undefined } : undefined
      const turn = trial === undefined ? this.permit : Effect.andThen(this.permit, trials.begin(trial))
      return turn.pipe(
        Effect.andThen(
          Effect.suspend(() => {
            isolation.trial = trial
            isolation.isHolding = true
            return Effect.scoped(this.consumeOne())
          })
        ),
        Effect.ensuring(
          Effect.sync(() => {
            isolation.letMove()
            isolation.trial = undefined
            isolation.isHolding = false
            if (trial !== undefined) trials.end(trial)
            runner.reserve(false)
          })
        )
      )
    })
  }

  private readonly permit: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const { isolation, runner } = this.parts
    while (!runner.mayStart()) yield* Effect.sleep(pollEvery)
    while (!isolation.isStill()) yield* Effect.sleep(pollEvery)
  })

  private consumeOne() {
    const { broker, inbox, isolation, runner, subscriber } = this.parts
    return Effect.gen({ self: this }, function* () {
      const session = yield* ConsumerSession.open(
        (options) => broker.consume({ ...options, subscriber: subscriber.name, queue: "parked" }),
        inbox(),
        { prefetch: 1, isolated: false, parked: true, lone: true }
      )
      const isOwn = (work: Work): boolean => work.origin === session.origin
      const close = Effect.suspend(() => {
        for (const work of runner.open()) if (isOwn(work) && work.delivery.lost()) isolation.survive(work)
        runner.giveBack(isOwn)
        runner.wake(isOwn, "Lost")
        return session.close
      })
      const taking = Effect.gen(function* () {
        // Full with the first one.
        yield* Effect.timeoutOption(session.full, arrivesWithin)
        yield* session.cancel
        yield* Effect.timeoutOption(session.spent, othersWaitAtMost)
        isolation.letMove()
        yield* session.spent
      })
      yield* Effect.onExit(Effect.raceFirst(taking, session.lost), () => close)
    })
  }
}
