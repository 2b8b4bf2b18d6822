/**
 * Events that may end their process. What came back five times is parked with its key. There an event is judged by its
 * own starts, which are written down by a copy before its handler runs, and not by the company in which it came back: an
 * event that never started is never judged. And a copy has all its lives before it.
 *
 * The first start may have company, since much that is parked comes back without any harm. What does not end is tried
 * alone from then on.
 */
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Decision from "../delivery/Decision.ts"
import * as Returns from "../delivery/Returns.ts"
import { startsOf, wait, type Work } from "../delivery/Work.ts"
import { wasAttempted } from "../handle/GiveBack.ts"
import type { SuspectsApi } from "../handle/ParkingApi.ts"
import type { Trial, Trials } from "../handle/Trials.ts"
import type { ParkedKey } from "./ParkedKeys.ts"
import type { ParkedMoves } from "./ParkedMoves.ts"
import type { ParkingState } from "./ParkingState.ts"
import * as WaitInLane from "./WaitInLane.ts"

/** After this many starts without an end, a parked event is dead-lettered. */
const maxStarts = 3
/** Longer than any trial takes. */
const patienceMillis = 24 * 60 * 60 * 1000

/** What the copy of a suspect says. */
interface Written {
  readonly starts: number
  readonly returns: number
  readonly due: number | undefined
}

interface OwnTrial extends Trial {
  /** The delivery that its copy takes the place of. */
  readonly original: Work
}

export class Suspects implements SuspectsApi {
  private readonly state: ParkingState
  private readonly moves: ParkedMoves
  private readonly trials: Trials
  /** The one of this subscriber. */
  private trial: OwnTrial | undefined

  constructor(state: ParkingState, moves: ParkedMoves, trials: Trials) {
    this.state = state
    this.moves = moves
    this.trials = trials
  }

  /** Whether a delivery of the subscriber's own queue is to be parked. */
  mustPark({ delivery, event, origin, unknown }: Work): boolean {
    if (origin.parked || event.key === undefined || unknown !== undefined || this.state.leaving === "stored")
      return false
    return Returns.countOf(delivery) >= Returns.lateCount
  }

  /** Without a place to park it in it stays in its lane, or is dead-lettered where it counts as a killer. */
  park(work: Work, isKiller: boolean): Effect.Effect<Decision.Decision> {
    return Effect.suspend(() => {
      const { delivery, event, progress } = work
      const stay = Effect.suspend(() => {
        if (this.moves.isEnding()) return Decision.settledNow
        return isKiller ? this.state.policy.deadLetterCrashLoop(work) : Decision.runAgainNow
      })
      work.progress = { ...progress, returns: Returns.countOf(delivery) }
      return Effect.flatMap(this.moves.parkKey(work, event.key ?? "", undefined), (decision) =>
        decision === undefined ? stay : Effect.succeed(decision)
      )
    })
  }

  /** What must happen before a parked delivery starts, if anything. */
  before(parked: ParkedKey, work: Work): Effect.Effect<Decision.Decision> | undefined {
    const { trial } = this
    if (trial !== undefined && trial.original.parkedName === work.parkedName && trial.original !== work) {
      this.trial = undefined
      // It took too long to get here, maybe for a pause: others went on.
      if (!this.trials.isCurrent(trial)) return this.undo(work)
      // Trials ends it when its handler has ended.
      trial.work = work
      return undefined
    }
    const returns = Returns.countOf(work.delivery)
    const starts = startsOf(work)
    if (returns < Returns.suspiciousCount && (starts === 0 || returns === 0)) return undefined
    if (starts >= maxStarts) return this.judge(work)
    return starts === 0 ? this.writeStart(parked, work) : this.try(parked, work)
  }

  /**
   * What follows when the trial of a delivery was none: it was refused, given back before it started, or interrupted by a
   * drain, which it did not keep from ending.
   */
  undo(work: Work, due?: number): Effect.Effect<Decision.Decision> | undefined {
    const starts = startsOf(work)
    const parked = this.state.keys.get(work.event.key ?? "")
    // The first start is followed by a trial in any case. What came back or was stored anew counts.
    if (parked === undefined || starts < 2 || Returns.countOf(work.delivery) > 0) return undefined
    if (work.delivery.lost() || wasAttempted(work)) return undefined
    this.left(work)
    return this.write(parked, work, { starts: starts - 1, returns: Returns.suspiciousCount, due })
  }

  /** Called when a parked delivery is settled, lost or given back. */
  left(work: Work): void {
    const { trial } = this
    if (trial !== undefined && trial.original !== work && trial.original.parkedName === work.parkedName) this.endTrial()
  }

  /** Unless its handler runs: then it ends with that. */
  endTrial(): void {
    const { trial } = this
    this.trial = undefined
    if (trial !== undefined) this.trials.end(trial)
  }

  private judge(work: Work): Effect.Effect<Decision.Decision> {
    const flush = Effect.sync(() => work.origin.flush(constVoid))
    return this.trials.judge(Effect.ensuring(this.state.policy.deadLetterCrashLoop(work), flush))
  }

  private writeStart(parked: ParkedKey, work: Work): Effect.Effect<Decision.Decision> {
    return this.write(parked, work, { starts: startsOf(work) + 1, returns: 0, due: undefined })
  }

  private write(parked: ParkedKey, work: Work, { due, returns, starts }: Written): Effect.Effect<Decision.Decision> {
    return Effect.suspend(() => {
      work.progress = { ...work.progress, returns }
      return this.moves.moveHead(parked, work, { position: work.place?.position ?? 0, starts, due })
    })
  }

  private try(parked: ParkedKey, work: Work): Effect.Effect<Decision.Decision> {
    return Effect.suspend(() => {
      const trial: OwnTrial = { original: work, work: undefined, timer: undefined }
      parked.headWaits = true
      this.moves.advance(parked)
      const turn = Effect.as(this.trials.begin(trial), "Begun" as const)
      return Effect.raceFirst(turn, wait(work, patienceMillis)).pipe(
        Effect.flatMap((ended) => {
          parked.headWaits = false
          if (ended !== "Begun") return WaitInLane.after(ended, () => this.state.policy.deadLetterLaneFull(work))
          if (this.moves.isEnding() || this.state.resting || work.delivery.lost()) return Decision.settledNow
          this.trial = trial
          return this.writeStart(parked, work)
        }),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (exit._tag === "Success" && exit.value._tag === "Moved") return
            if (this.trial === trial) this.trial = undefined
            this.trials.end(trial)
          })
        )
      )
    })
  }
}
