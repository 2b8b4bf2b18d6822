/** The claim store, one for all processes as Redis is, which fails by chance. */
import { Effect, type Fiber } from "effect"
import { CacheError } from "../../src/bus/port/CacheError.ts"
import { CacheUnavailable } from "../../src/bus/port/CacheReason.ts"
import type { ClaimStore, Subject } from "../../src/bus/port/ClaimStore.ts"
import type { RandomSource } from "../support/RandomSource.ts"
import type { AppliedEffects } from "./AppliedEffects.ts"
import type { Life } from "./Life.ts"
import type { Observations } from "./Observations.ts"

export type ClaimFault = "down" | "lost answer" | "late" | "crash-before" | "crash-after"
export const claimFaults: ReadonlyArray<ClaimFault> = ["down", "lost answer", "late", "crash-before", "crash-after"]

/** When an attempt first asked the store: the line of the trace, and the time. */
export interface Asked {
  readonly line: number
  readonly at: number
}

export interface Options {
  readonly observed: Observations
  readonly random: RandomSource
  readonly rates: Readonly<Partial<Record<ClaimFault, number>>>
  readonly limit: number
  readonly store: ClaimStore["Service"]
  readonly applied: AppliedEffects
  readonly crash: (life: Life) => void
}

const noAnswer = new CacheError({ reason: new CacheUnavailable({ detail: "no answer" }) })

export class FaultyClaims {
  private readonly options: Options
  private readonly asked = new Map<string, Asked>()
  /** By the fiber of the attempt: it may give up the claim of an earlier one before it asks for its own. */
  private readonly attempts = new WeakMap<Fiber.Fiber<unknown, unknown>, Asked>()
  private left: number
  private down = false
  /** How many faults there were. */
  count = 0

  constructor(options: Options) {
    this.options = options
    this.left = options.limit
  }

  setDown(down: boolean): void {
    this.down = down
  }

  /** No more faults. */
  calm(): void {
    this.left = 0
    this.down = false
  }

  /** When the last attempt of this process at this event asked for its claim. */
  lastAsked(life: Life, subscriber: string, n: number): Asked | undefined {
    return this.asked.get(`${life.name}/${subscriber}/${n}`)
  }

  /** The store as one process has it. */
  of(life: Life): ClaimStore["Service"] {
    const { applied, observed, store } = this.options
    return {
      claim: (subject, claimant, lease) =>
        Effect.withFiber((fiber) => {
          const n = observed.numbers.get(subject.id)
          if (n !== undefined) {
            const line = observed.note("is to be claimed", n)
            const asked = this.attempts.get(fiber) ?? { line, at: observed.now() }
            this.attempts.set(fiber, asked)
            this.asked.set(`${life.name}/${subject.subscriber}/${n}`, asked)
          }
          return this.troubled(life, "claim", subject, store.claim(subject, claimant, lease))
        }),
      done: (subject, claimant, ttl) =>
        Effect.suspend(() => {
          const mine = applied.unmarked(subject.subscriber, observed.numbers.get(subject.id) ?? 0, life)
          if (mine !== undefined && life.alive) mine.excuse = "store"
          const stored = Effect.tap(store.done(subject, claimant, ttl), (held) =>
            Effect.sync(() => {
              if (mine === undefined) return
              mine.marked = held
              mine.excuse = undefined
            })
          )
          return Effect.onExit(this.troubled(life, "mark", subject, stored), () =>
            Effect.sync(() => {
              if (mine !== undefined && !mine.marked && !life.alive) mine.excuse = "killed"
            })
          )
        }),
      renew: (held, lease) => {
        const [first] = held
        return first === undefined
          ? Effect.succeed([])
          : this.troubled(life, "renewal", first.subject, store.renew(held, lease))
      },
      release: (subject, claimant) =>
        Effect.withFiber((fiber) => {
          const n = observed.numbers.get(subject.id)
          if (n !== undefined && !this.attempts.has(fiber)) {
            const line = observed.note("is to be claimed anew", n)
            this.attempts.set(fiber, { line, at: observed.now() })
          }
          return this.troubled(life, "release", subject, store.release(subject, claimant))
        })
    }
  }

  private draw(): ClaimFault | "none" {
    if (this.down) return "down"
    if (this.left <= 0) return "none"
    let at = this.options.random.next()
    for (const kind of claimFaults) {
      at -= this.options.rates[kind] ?? 0
      if (at >= 0) continue
      this.left--
      this.count++
      return kind
    }
    return "none"
  }

  private troubled<A>(
    life: Life,
    what: string,
    { id, subscriber }: Subject,
    step: Effect.Effect<A, CacheError>
  ): Effect.Effect<A, CacheError> {
    const { crash, observed, random } = this.options
    return Effect.suspend(() => {
      // A dead process asks nothing.
      if (!life.alive) return Effect.fail(noAnswer)
      const fault = this.draw()
      if (fault !== "none" && !this.down) observed.disturbances++
      if (fault !== "none") observed.note(`FAULT ${fault}: ${what} of ${subscriber} in ${life.name} ${id}`)
      switch (fault) {
        case "none":
          return step
        case "down":
          return Effect.fail(noAnswer)
        case "lost answer":
          return Effect.andThen(step, Effect.fail(noAnswer))
        case "late":
          return Effect.delay(
            Effect.suspend(() => (life.alive ? step : Effect.fail(noAnswer))),
            random.int(1, 800)
          )
        case "crash-before":
          crash(life)
          return Effect.fail(noAnswer)
        case "crash-after":
          return Effect.andThen(
            step,
            Effect.suspend(() => {
              crash(life)
              return Effect.fail(noAnswer)
            })
          )
      }
    })
  }
}
