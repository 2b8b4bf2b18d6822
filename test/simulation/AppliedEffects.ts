/** How often an idempotent subscriber applied each event, and why it had to apply one again. */
import type { Life } from "./Life.ts"
import type { Observations } from "./Observations.ts"

/** One time that a handler applied the effect of an event. */
export interface Applied {
  readonly life: Life
  readonly line: number
  /** Without a claim, since the store did not answer: no later attempt could know of it. */
  readonly blind: boolean
  marked: boolean
  /** Why it has no done mark. */
  excuse: "killed" | "store" | undefined
}

export class AppliedEffects {
  private readonly all = new Map<string, Array<Applied>>()
  private readonly observed: Observations

  constructor(observed: Observations) {
    this.observed = observed
  }

  add(subscriber: string, life: Life, n: number, blind: boolean): void {
    const place = `${subscriber}/${n}`
    const before = this.all.get(place) ?? []
    this.all.set(place, before)
    const line = this.observed.note(`is applied by ${life.name}, time ${before.length + 1}`, n)
    before.push({ life, line, blind, marked: false, excuse: blind ? "store" : undefined })
  }

  /** The one with a done mark. */
  marked(subscriber: string, n: number): Applied | undefined {
    return this.all.get(`${subscriber}/${n}`)?.find(({ marked }) => marked)
  }

  /** The last one of this process that has no done mark. */
  unmarked(subscriber: string, n: number, life: Life): Applied | undefined {
    return this.all.get(`${subscriber}/${n}`)?.findLast((one) => one.life === life && !one.marked)
  }

  /** A batch was interrupted: what it applied gets no done marks. */
  interrupted(life: Life, subscriber: string, numbers: ReadonlyArray<number>): void {
    for (const n of numbers)
      for (const one of this.all.get(`${subscriber}/${n}`) ?? [])
        if (one.life === life && !one.marked) one.excuse ??= "killed"
  }

  /** What a dead process applied without a done mark is handled again. */
  died(life: Life): void {
    for (const all of this.all.values())
      for (const one of all) if (one.life === life && !one.marked) one.excuse ??= "killed"
  }

  /** How often an event was applied again, by the reason why that had to be. */
  check(): { readonly killed: number; readonly store: number } {
    const figures = { killed: 0, store: 0 }
    for (const [place, all] of this.all) {
      for (const [i, again] of all.entries()) {
        if (i === 0) continue
        const before = all[i - 1]!
        // An attempt without a claim knows nothing of earlier ones.
        if (again.blind) figures.store++
        else if (before.marked || before.excuse === undefined)
          this.observed.violate("once", `${place} is applied in line ${again.line}, and was in line ${before.line}`)
        else figures[before.excuse]++
      }
    }
    return figures
  }
}
