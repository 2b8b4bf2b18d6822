/**
 * Which levels of the delay ladder this process may send to. Most of the 20 levels are never used, and each is a queue
 * of three file handles on the broker. So the queue of a level is declared before the first message that is to wait
 * there, and messages wait for that here.
 *
 * A message that waits on several levels is sent when all of them exist: only the first one reports that it is missing,
 * by a return. Behind it the message would stay in the level before, until the missing one is declared. So levels behind
 * the first one are looked at again once a minute, while messages go there.
 *
 * A user that may not declare a level waits without it: `within` says for how long a copy can wait on the others.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as Ladder from "../topology/DelayLadder.ts"

export interface LevelsOptions {
  readonly namespace: string
  readonly now: () => number
  /**
   * Declares the levels of this set. Those that were declared before are only looked at: binding what exists may hang.
   */
  readonly declare: (set: number, wasDeclared: boolean) => Effect.Effect<void, BrokerError>
  /** Called when messages that waited may be sent, or are refused. */
  readonly onAnswer: () => void
}

/** Every start declares it, and the canary waits there. */
const first = 1

/** How long it is believed that a level exists whose absence nothing reports. */
const believedMillis = 60_000
/** How long a level counts as missing that this user may not declare: an operator may do it. */
const absentMillis = 30_000
/** The same after any other failure. */
const failedMillis = 1000

/** Reasons that stay until an operator grants or declares something. */
const lasting: ReadonlySet<string | undefined> = new Set(["Permission", "TopologyMissing", "TopologyMismatch"])

export class LadderLevels {
  private readonly options: LevelsOptions
  /** Those that exist, as far as is known on this connection. */
  private there = first
  /** Until when that is believed of levels behind the first one of a message. */
  private believedUntil = 0
  /** Those that this process declared, on any connection. */
  private declared = first
  private absent = 0
  private absentUntil = 0
  private wanted = 0
  private readonly isWanted = Latch.makeUnsafe(false)
  private doubts = 0
  /** Why levels are absent, and whether that lasts until somebody does something about it. */
  private fault: BrokerError | undefined
  private isLasting = false

  constructor(options: LevelsOptions) {
    this.options = options
  }

  /** Whether a message with this delay can be sent now. */
  areThere(seconds: number): boolean {
    if ((seconds & ~this.there) !== 0) return false
    const isSingle = (seconds & (seconds - 1)) === 0
    return isSingle || this.options.now() < this.believedUntil
  }

  /** The name of a level that a message with this delay cannot have. */
  absentOf(seconds: number): string | undefined {
    const absent = seconds & this.absentNow()
    return absent === 0 ? undefined : Ladder.levelName(this.options.namespace, Ladder.firstOf(absent))
  }

  /** The longest delay of at most `seconds` for which no level is missing that cannot be declared. */
  within(seconds: number): number {
    const most = Math.min(seconds, 2 ** Ladder.levels - 1)
    const absent = this.absentNow()
    return absent === 0 ? most : Ladder.within(most, absent)
  }

  /** Declares what a message with this delay needs, then calls `onAnswer`. */
  ask(seconds: number): void {
    this.wanted |= seconds
    this.isWanted.openUnsafe()
  }

  /** Something came back: a level that was there may be gone. */
  doubt(): void {
    this.there = 0
    this.declared = 0
    this.doubts++
  }

  /** A new connection. */
  restart(): void {
    this.there = first
    this.believedUntil = 0
    this.absent = 0
    this.wanted = 0
    this.fault = undefined
    this.isWanted.closeUnsafe()
  }

  /** Levels that are missing and that this user could not declare, with the reason. */
  missing(): { readonly names: ReadonlyArray<string>; readonly fault: BrokerError } | undefined {
    const absent = this.isLasting ? this.absent : this.absentNow()
    const names = Ladder.levelsOf(absent).map((level) => Ladder.levelName(this.options.namespace, level))
    return this.fault === undefined || names.length === 0 ? undefined : { names, fault: this.fault }
  }

  /** Declares what is asked for, until it is interrupted. */
  get serve(): Effect.Effect<never> {
    return this.isWanted.await.pipe(
      Effect.andThen(Effect.suspend(() => this.declareWanted())),
      Effect.tap(() => Effect.sync(this.options.onAnswer)),
      Effect.forever
    )
  }

  private absentNow(): number {
    return this.absent !== 0 && this.options.now() >= this.absentUntil ? 0 : this.absent
  }

  private readonly declareWanted = Effect.fnUntraced(function* (this: LadderLevels) {
    this.isWanted.closeUnsafe()
    const set = this.wanted | this.there
    this.wanted = 0
    const { doubts } = this
    const believedUntil = this.options.now() + believedMillis
    let there = set
    // One that fails does so for all: which one it is, is seen by each alone.
    if (Exit.isFailure(yield* Effect.exit(this.provide(set)))) {
      for (const level of Ladder.levelsOf(set)) {
        const result = yield* Effect.result(this.provide(2 ** level))
        if (Result.isFailure(result)) {
          there &= ~(2 ** level)
          this.fault = result.failure
        }
      }
    }
    // What came back meanwhile may have been one of them.
    if (doubts === this.doubts) this.there = there
    this.believedUntil = believedUntil
    this.absent = set & ~there
    this.isLasting = this.absent !== 0 && lasting.has(this.fault?.reason._tag)
    this.absentUntil = this.options.now() + (this.isLasting ? absentMillis : failedMillis)
  })

  /** Looks at those that were declared before, and declares the others; what is gone is declared again. */
  private provide(set: number): Effect.Effect<void, BrokerError> {
    const { declare } = this.options
    const [known, fresh] = [set & this.declared, set & ~this.declared]
    const look = known === 0 ? Effect.void : declare(known, true)
    const create = (levels: number): Effect.Effect<void, BrokerError> =>
      levels === 0 ? Effect.void : Effect.map(declare(levels, false), () => void (this.declared |= levels))
    return Effect.andThen(
      Effect.catchIf(
        look,
        ({ reason }) => reason._tag === "TopologyMissing",
        () => create(known)
      ),
      create(fresh)
    )
  }
}
