/**
 * What a subscriber promises beside P1 to P18, against what it does: an idempotent one applies an event
 * once, one that is paused starts nothing, one whose breaker is open attempts nothing, one with a rate
 * limit stays below it. The marks of all processes are one store, as Redis is, and it fails by chance.
 */
import { Effect } from "effect"
import { CacheError, CacheUnavailable } from "../../src/bus/EventCache.ts"
import type { MarkStore, Subject } from "../../src/bus/Marks.ts"
import type { Chance } from "./Chance.ts"
import type { Ledger } from "./Ledger.ts"
import type { Subscriber } from "./Setup.ts"
import type { Life } from "./Tap.ts"

/** One time that a handler did what it is there for. */
interface Applied {
  readonly life: Life
  readonly line: number
  /** Without a claim, since the store did not answer: nobody could know of it. */
  readonly blind: boolean
  marked: boolean
  /** Why there is no mark of it. */
  account: "killed" | "store" | undefined
}

/** One attempt, from its claim to its end. */
export interface Attempt {
  readonly life: Life
  readonly n: number
  readonly fence: number | undefined
  /** When it was let through: what was steered later does not stop it. */
  readonly begun: number
  readonly from: number
  /** When its handler began. */
  readonly at: number
}

export type MarkFault = "down" | "lost answer" | "late" | "crash before" | "crash after"
export const markFaults: ReadonlyArray<MarkFault> = ["down", "lost answer", "late", "crash before", "crash after"]

export type Actors = ReturnType<typeof make>

export const make = (options: {
  readonly ledger: Ledger
  readonly chance: Chance
  readonly rates: Readonly<Partial<Record<MarkFault, number>>>
  readonly limit: number
  readonly store: MarkStore
  /** Whether breakers and rate limits are of all processes together. */
  readonly fleet: boolean
  readonly crash: (life: Life) => void
}) => {
  const { chance, crash, fleet, ledger, rates, store } = options
  let left = options.limit
  let down = false
  let count = 0
  const applied = new Map<string, Array<Applied>>()
  /** The line and the time in which the last claim of an event was asked for, by process. */
  const asked = new Map<string, { readonly line: number; readonly at: number }>()
  const running = new Map<string, Set<Attempt>>()
  const fences = new Map<string, number>()
  /** Since which line. */
  const paused = new Map<string, number>()
  const subscriberOf = new WeakMap<Attempt, string>()
  /** Concurrency, and since which line. */
  const settings = new Map<string, Array<{ readonly line: number; readonly count: number }>>()
  const starts = new Map<string, Array<number>>()
  const breakers = new Map<string, { row: number; openUntil: number }>()
  const nameOf = (life: Life, { name }: Subscriber): string => `${life.name}/${name}`
  const list = <A>(map: Map<string, Array<A>>, name: string): Array<A> => {
    const found = map.get(name) ?? []
    map.set(name, found)
    return found
  }

  // -- marks ------------------------------------------------------------------------------------------

  const draw = (): MarkFault | "none" => {
    if (down) return "down"
    if (left <= 0) return "none"
    let at = chance.next()
    for (const kind of markFaults) {
      at -= rates[kind] ?? 0
      if (at >= 0) continue
      left--
      count++
      return kind
    }
    return "none"
  }
  /** The store as one process has it. */
  const marks = (life: Life): MarkStore => {
    const troubled = <A>(
      what: string,
      { id, subscriber }: Subject,
      step: Effect.Effect<A, CacheError>
    ): Effect.Effect<A, CacheError> =>
      Effect.suspend(() => {
        // What is dead asks nobody.
        if (!life.alive) return Effect.fail(silent)
        const fault = draw()
        if (fault !== "none" && !down) ledger.disturbances++
        if (fault !== "none") ledger.note(`FAULT ${fault}: ${what} of ${subscriber} in ${life.name} ${id}`)
        switch (fault) {
          case "none":
            return step
          case "down":
            return Effect.fail(silent)
          case "lost answer":
            return Effect.andThen(step, Effect.fail(silent))
          case "late":
            return Effect.delay(
              Effect.suspend(() => (life.alive ? step : Effect.fail(silent))),
              chance.int(1, 800)
            )
          case "crash before":
            crash(life)
            return Effect.fail(silent)
          case "crash after":
            return Effect.andThen(
              step,
              Effect.suspend(() => {
                crash(life)
                return Effect.fail(silent)
              })
            )
        }
      })
    return {
      claim: (subject, claimant, lease) =>
        Effect.suspend(() => {
          const n = ledger.numbers.get(subject.id)
          if (n !== undefined) {
            const line = ledger.note("is asked for", n)
            asked.set(`${life.name}/${subject.subscriber}/${n}`, { line, at: ledger.now() })
          }
          return troubled("claim", subject, store.claim(subject, claimant, lease))
        }),
      done: (subject, claimant, ttl) =>
        Effect.suspend(() => {
          const mine = applied
            .get(`${subject.subscriber}/${ledger.numbers.get(subject.id) ?? 0}`)
            ?.findLast((one) => one.life === life && !one.marked)
          if (mine !== undefined && life.alive) mine.account = "store"
          const stored = Effect.tap(store.done(subject, claimant, ttl), (held) =>
            Effect.sync(() => {
              if (mine === undefined) return
              mine.marked = held
              mine.account = undefined
            })
          )
          return Effect.onExit(troubled("mark", subject, stored), () =>
            Effect.sync(() => {
              if (mine !== undefined && !mine.marked && !life.alive) mine.account = "killed"
            })
          )
        }),
      release: (subject, claimant) => troubled("release", subject, store.release(subject, claimant))
    }
  }

  // -- attempts ---------------------------------------------------------------------------------------

  const start = (life: Life, subscriber: Subscriber, n: number, fence: number | undefined): Attempt => {
    const { name } = subscriber
    const line = ledger.note(`has the fence ${fence ?? "none"}`, n)
    const bad = (promise: string, detail: string): void => ledger.violate(promise, `${name} ${detail}`, n)
    const at = ledger.now()
    const claim = subscriber.idempotent ? asked.get(`${life.name}/${name}/${n}`) : undefined
    const begun = claim?.line ?? line
    const me: Attempt = { life, n, fence, begun, from: claim?.at ?? at, at }
    const mine = nameOf(life, subscriber)
    const here = running.get(mine) ?? new Set()
    running.set(mine, here)

    if (!subscriber.idempotent && fence !== undefined) bad("once", `has a fence, and is not idempotent`)
    if (subscriber.idempotent) {
      if (fence === undefined && subscriber.onStoreDown === "wait") bad("once", "is attempted without a claim")
      const place = `${name}/${n}`
      if (fence !== undefined) {
        if (fence <= (fences.get(place) ?? 0)) bad("once", `has the fence ${fence}, not above ${fences.get(place)}`)
        fences.set(place, fence)
        for (const set of running.values())
          for (const other of set)
            if (other.n === n && other.fence !== undefined && other.life.alive && subscriberOf.get(other) === name)
              bad("once", `is attempted in ${life.name} while ${other.life.name} has a claim`)
        const before = applied.get(place)?.find(({ marked }) => marked)
        if (before !== undefined) bad("once", `is attempted again: it was marked by ${before.life.name}`)
      }
    }

    const all = list(settings, mine)
    here.add(me)
    subscriberOf.set(me, name)
    // Who has joined a batch goes with it.
    if (subscriber.batch === undefined && begun > (paused.get(mine) ?? Number.POSITIVE_INFINITY))
      bad("steer", `starts in ${life.name}, where it is paused`)
    // Of those at work the one that began last saw all the others.
    const last = Math.max(...[...here].map((one) => one.begun))
    const most = all.findLast((one) => one.line <= last)?.count ?? subscriber.concurrency
    if (here.size > most * (subscriber.batch?.size ?? 1))
      bad("steer", `has ${here.size} handlers at work in ${life.name}, of ${most}`)

    const place = fleet ? name : mine
    const { breaker, rateLimit } = subscriber
    if (rateLimit !== undefined) {
      const times = list(starts, place)
      times.push(me.at)
      const from = times.findIndex(
        (time, i) => times.length - i > rateLimit.limit + 1 + ((me.at - time) * rateLimit.limit) / rateLimit.window
      )
      if (from >= 0)
        bad(
          "rate",
          `attempts ${times.length - from} in ${me.at - times[from]!} ms, at ${rateLimit.limit} in ${rateLimit.window}`
        )
    }
    if (breaker !== undefined) {
      const state = breakers.get(place)
      if (state !== undefined && state.row >= breaker.failures) {
        if (me.at < state.openUntil)
          bad("breaker", `is attempted while its breaker is open until ${state.openUntil} ms`)
        const probes = [...running]
          .filter(([where]) => (fleet ? where.endsWith(`/${name}`) : where === mine))
          .flatMap(([, set]) => [...set].filter((one) => one.life.alive && one.at >= state.openUntil))
        if (probes.length > 1) bad("breaker", `has ${probes.length} probes at once`)
      }
    }
    return me
  }

  const end = (subscriber: Subscriber, attempt: Attempt, how: "done" | "failed" | "other"): void => {
    const mine = nameOf(attempt.life, subscriber)
    running.get(mine)?.delete(attempt)
    const { breaker } = subscriber
    if (breaker === undefined || how === "other") return
    const place = fleet ? subscriber.name : mine
    const state = breakers.get(place) ?? { row: 0, openUntil: 0 }
    breakers.set(place, state)
    // What began before it opened says nothing of how it is now.
    if (state.row >= breaker.failures && attempt.at < state.openUntil) return
    if (how === "done") state.row = 0
    else if (++state.row >= breaker.failures) state.openUntil = ledger.now() + breaker.openFor
  }

  return {
    marks,
    start,
    end,
    /** The handler did what it is there for. */
    applied: (subscriber: Subscriber, { fence, life, n }: Attempt): void => {
      if (!subscriber.idempotent) return
      const all = list(applied, `${subscriber.name}/${n}`)
      const line = ledger.note(`is applied by ${life.name}, time ${all.length + 1}`, n)
      const blind = fence === undefined
      all.push({ life, line, blind, marked: false, account: blind ? "store" : undefined })
    },
    /** A batch was interrupted: what it has applied is not marked. */
    interrupted: (life: Life, { name }: Subscriber, numbers: ReadonlyArray<number>): void => {
      for (const n of numbers)
        for (const one of applied.get(`${name}/${n}`) ?? [])
          if (one.life === life && !one.marked) one.account ??= "killed"
    },
    /** A process is dead: what it has applied and not marked comes again. */
    died: (life: Life): void => {
      for (const all of applied.values())
        for (const one of all) if (one.life === life && !one.marked) one.account ??= "killed"
      for (const [name, set] of running) if (name.startsWith(`${life.name}/`)) set.clear()
    },
    paused: (life: Life, name: string, on: boolean): void => {
      if (on) paused.set(`${life.name}/${name}`, ledger.note(`${name} is paused in ${life.name}`))
      else paused.delete(`${life.name}/${name}`)
    },
    setConcurrency: (life: Life, name: string, count: number): void =>
      void list(settings, `${life.name}/${name}`).push({
        line: ledger.note(`${name} has ${count} handlers in ${life.name} from now on`),
        count
      }),
    storeDown: (on: boolean): void => {
      down = on
    },
    calm: (): void => {
      left = 0
      down = false
    },
    faults: (): number => count,
    /** How often an event was applied again, and why that had to be. */
    verdict: (): { readonly killed: number; readonly store: number } => {
      const figures = { killed: 0, store: 0 }
      for (const [place, all] of applied) {
        for (const [i, again] of all.entries()) {
          if (i === 0) continue
          const before = all[i - 1]!
          // Who has no claim does not know what was before.
          if (again.blind) figures.store++
          else if (before.marked || before.account === undefined)
            ledger.violate("once", `${place} is applied in line ${again.line}, and was in line ${before.line}`)
          else figures[before.account]++
        }
      }
      return figures
    }
  }
}

const silent = new CacheError({ reason: new CacheUnavailable({ detail: "no answer" }) })
