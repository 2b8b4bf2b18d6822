/**
 * Rules for the attempts of a subscriber beside the promises P1 to P18: an idempotent one applies an event
 * once, a paused one starts nothing, one with an open breaker attempts nothing, one with a rate limit stays
 * below it.
 */
import type { AppliedEffects } from "./AppliedEffects.ts"
import type { FaultyClaims } from "./FaultyClaims.ts"
import type { Life } from "./Life.ts"
import type { Observations } from "./Observations.ts"
import type { Subscriber } from "./Setup.ts"

/** One attempt, from its claim to its end. */
export interface Attempt {
  readonly life: Life
  readonly subscriber: string
  readonly n: number
  readonly fence: number | undefined
  /** The line in which it was admitted: a later pause does not stop it. */
  readonly begun: number
  readonly from: number
  /** When its handler began. */
  readonly at: number
}

export interface Options {
  readonly observed: Observations
  readonly applied: AppliedEffects
  readonly claims: FaultyClaims
  /** Breakers and rate limits are shared by all processes. */
  readonly fleet: boolean
}

type Violate = (rule: string, detail: string) => void

export class AttemptRules {
  private readonly options: Options
  private readonly running = new Map<string, Set<Attempt>>()
  private readonly fences = new Map<string, number>()
  /** The line in which a subscriber was paused. */
  private readonly pausedAt = new Map<string, number>()
  /** Concurrency, and the line from which it holds. */
  private readonly settings = new Map<string, Array<{ readonly line: number; readonly count: number }>>()
  private readonly starts = new Map<string, Array<number>>()
  private readonly breakers = new Map<string, { row: number; openUntil: number }>()

  constructor(options: Options) {
    this.options = options
  }

  start(life: Life, subscriber: Subscriber, n: number, fence: number | undefined): Attempt {
    const { claims, observed } = this.options
    const { name } = subscriber
    const line = observed.note(`has the fence ${fence ?? "none"}`, n)
    const violate: Violate = (rule, detail) => observed.violate(rule, `${name} ${detail}`, n)
    const at = observed.now()
    const claim = subscriber.idempotent ? claims.lastAsked(life, name, n) : undefined
    const begun = claim?.line ?? line
    const attempt: Attempt = { life, subscriber: name, n, fence, begun, from: claim?.at ?? at, at }
    const mine = placeIn(life, name)
    const here = this.running.get(mine) ?? new Set()
    this.running.set(mine, here)
    if (subscriber.idempotent) this.checkClaim(subscriber, attempt, violate)
    else if (fence !== undefined) violate("once", "has a fence, and is not idempotent")
    here.add(attempt)
    this.checkControl(subscriber, attempt, here, violate)
    this.checkRate(subscriber, attempt, violate)
    this.checkBreaker(subscriber, attempt, violate)
    return attempt
  }

  end({ breaker, name }: Subscriber, attempt: Attempt, how: "done" | "failed" | "other"): void {
    const mine = placeIn(attempt.life, name)
    this.running.get(mine)?.delete(attempt)
    if (breaker === undefined || how === "other") return
    const place = this.options.fleet ? name : mine
    const state = this.breakers.get(place) ?? { row: 0, openUntil: 0 }
    this.breakers.set(place, state)
    // An attempt that began before the breaker opened says nothing about the time after it, nor after it closed.
    if (attempt.at < state.openUntil) return
    if (how === "done") state.row = 0
    else if (++state.row >= breaker.failures) state.openUntil = this.options.observed.now() + breaker.openDuration
  }

  died(life: Life): void {
    for (const [name, set] of this.running) if (name.startsWith(`${life.name}/`)) set.clear()
  }

  paused(life: Life, name: string, on: boolean): void {
    const { observed } = this.options
    if (on) this.pausedAt.set(placeIn(life, name), observed.note(`${name} is paused in ${life.name}`))
    else this.pausedAt.delete(placeIn(life, name))
  }

  setConcurrency(life: Life, name: string, count: number): void {
    const line = this.options.observed.note(`${name} has ${count} handlers in ${life.name} from now on`)
    listIn(this.settings, placeIn(life, name)).push({ line, count })
  }

  private checkClaim(subscriber: Subscriber, attempt: Attempt, violate: Violate): void {
    const { fence, life, n } = attempt
    const { name } = subscriber
    if (fence === undefined) {
      if (subscriber.onStoreDown === "wait") violate("once", "is attempted without a claim")
      return
    }
    const place = `${name}/${n}`
    if (fence <= (this.fences.get(place) ?? 0))
      violate("once", `has the fence ${fence}, not above ${this.fences.get(place)}`)
    this.fences.set(place, fence)
    for (const set of this.running.values())
      for (const other of set)
        if (other.n === n && other.fence !== undefined && other.life.alive && other.subscriber === name)
          violate("once", `is attempted in ${life.name} while ${other.life.name} has a claim`)
    const before = this.options.applied.marked(name, n)
    if (before !== undefined) violate("once", `is attempted again: it was marked by ${before.life.name}`)
  }

  private checkControl(
    subscriber: Subscriber,
    { begun, life }: Attempt,
    here: ReadonlySet<Attempt>,
    violate: Violate
  ): void {
    const mine = placeIn(life, subscriber.name)
    // An event that has joined a batch starts with it.
    if (subscriber.batch === undefined && begun > (this.pausedAt.get(mine) ?? Number.POSITIVE_INFINITY))
      violate("steer", `starts in ${life.name}, where it is paused`)
    // Of the running attempts the one that began last saw all the others.
    const last = Math.max(...[...here].map((one) => one.begun))
    const most = listIn(this.settings, mine).findLast((one) => one.line <= last)?.count ?? subscriber.concurrency
    if (here.size > most * (subscriber.batch?.size ?? 1))
      violate("steer", `has ${here.size} handlers at work in ${life.name}, of ${most}`)
  }

  private checkRate({ name, rateLimit }: Subscriber, { at, life }: Attempt, violate: Violate): void {
    if (rateLimit === undefined) return
    const times = listIn(this.starts, this.options.fleet ? name : placeIn(life, name))
    times.push(at)
    const from = times.findIndex(
      (time, i) => times.length - i > rateLimit.limit + 1 + ((at - time) * rateLimit.limit) / rateLimit.window
    )
    if (from < 0) return
    const bound = `${rateLimit.limit} in ${rateLimit.window}`
    violate("rate", `attempts ${times.length - from} in ${at - times[from]!} ms, at ${bound}`)
  }

  private checkBreaker({ breaker, name }: Subscriber, { at, life }: Attempt, violate: Violate): void {
    const { fleet } = this.options
    const mine = placeIn(life, name)
    const state = this.breakers.get(fleet ? name : mine)
    if (breaker === undefined || state === undefined || state.row < breaker.failures) return
    if (at < state.openUntil) violate("breaker", `is attempted while its breaker is open until ${state.openUntil} ms`)
    const probes = [...this.running]
      .filter(([place]) => (fleet ? place.endsWith(`/${name}`) : place === mine))
      .flatMap(([, set]) => [...set].filter((one) => one.life.alive && one.at >= state.openUntil))
    if (probes.length > 1) violate("breaker", `has ${probes.length} probes at once`)
  }
}

const placeIn = (life: Life, subscriber: string): string => `${life.name}/${subscriber}`

const listIn = <A>(map: Map<string, Array<A>>, name: string): Array<A> => {
  const found = map.get(name) ?? []
  map.set(name, found)
  return found
}
