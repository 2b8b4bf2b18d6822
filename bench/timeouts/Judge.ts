/** What became of the events of one run: which were out of order, handled twice, or never handled. */
import type { Report } from "./Protocol.ts"

export interface Findings {
  readonly handled: number
  /** Events that began for the first time behind a later one of their key. */
  readonly outOfOrder: number
  /** Handlers that ended beyond the first one of their event. */
  readonly again: number
  /** Begins of an event while a handler of its key ran. */
  readonly overlaps: number
  /** What the library said, each text once, with how often. */
  readonly said: ReadonlyMap<string, number>
}

export class Judge {
  private readonly began = new Set<string>()
  private readonly ended = new Map<string, number>()
  private readonly latest = new Map<string, number>()
  private readonly running = new Map<string, number>()
  private readonly said = new Map<string, number>()
  private outOfOrder = 0
  private overlaps = 0
  /** When the last event was handled for the first time. */
  lastProgress = Date.now()

  heard(report: Report): void {
    switch (report._tag) {
      case "Ready":
        return
      case "Said":
        return this.say(report.text)
      case "Began":
        return this.begin(report.key, report.n)
      case "Ended":
        return this.end(report.key, report.n)
      case "Died":
        return void this.running.set(report.key, (this.running.get(report.key) ?? 1) - 1)
    }
  }

  handled(): number {
    return this.ended.size
  }

  findings(): Findings {
    const ends = [...this.ended.values()].reduce((sum, count) => sum + count, 0)
    const { outOfOrder, overlaps, said } = this
    return { handled: this.ended.size, outOfOrder, again: ends - this.ended.size, overlaps, said }
  }

  private say(text: string): void {
    const plain = text
      .replace(/\s+/g, " ")
      .replace(/amq\.ctag-[\w-]+/g, "(its tag)")
      .replace(/\(\d+\)/g, "")
      .slice(0, 90)
    this.said.set(plain, (this.said.get(plain) ?? 0) + 1)
  }

  private begin(key: string, n: number): void {
    const running = this.running.get(key) ?? 0
    if (running > 0) this.overlaps++
    this.running.set(key, running + 1)
    const event = `${key} ${n}`
    if (this.began.has(event)) return
    this.began.add(event)
    const latest = this.latest.get(key) ?? -1
    if (n < latest) this.outOfOrder++
    else this.latest.set(key, n)
  }

  private end(key: string, n: number): void {
    this.running.set(key, (this.running.get(key) ?? 1) - 1)
    const event = `${key} ${n}`
    const before = this.ended.get(event) ?? 0
    if (before === 0) this.lastProgress = Date.now()
    this.ended.set(event, before + 1)
  }
}
