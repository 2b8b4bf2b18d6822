/**
 * The lines of an input on their way to `publishAll`, which knows them by their position in its call. It stops at the first
 * event that fails; what it took and did not send is given to the next call again.
 */
import * as Result from "effect/Result"
import type { PublishError } from "../../bus/send/PublishError.ts"
import type { Fault } from "../../event/EventError.ts"
import * as PublishReason from "../../bus/send/PublishReason.ts"
import type { Line } from "./JsonLines.ts"
import type { Refusal } from "../PublishReports.ts"

/** A line that is to be published. */
interface Taken {
  readonly line: number
  readonly data: unknown
}

/** Refusals that a report keeps. */
const keptRefusals = 100
/** Lines that may have been taken and not sent: a source is read ahead by one or two. */
const keptTaken = 64

export class PublishedLines {
  private readonly source: AsyncIterator<Line, void>
  private readonly decode: (json: unknown) => Result.Result<unknown, ReadonlyArray<Fault>>
  private readonly onRefused: ((refusal: Refusal) => void) | undefined
  private readonly refusals: Array<Refusal> = []
  private refused = 0
  /** To be given again, oldest first. */
  private again: Array<Taken> = []
  /** The last ones of this call. */
  private taken: Array<Taken> = []
  private count = 0
  /** Where the distance of position and line changes: position and line, ascending. */
  private marks: Array<readonly [index: number, line: number]> = []
  private lastLine = 0

  constructor(
    source: AsyncIterator<Line, void>,
    decode: (json: unknown) => Result.Result<unknown, ReadonlyArray<Fault>>,
    onRefused: ((refusal: Refusal) => void) | undefined
  ) {
    this.source = source
    this.decode = decode
    this.onRefused = onRefused
  }

  /** The data of the lines from here on. A call that stops leaves the source open for the next one. */
  begin(): AsyncIterable<unknown> {
    this.count = 0
    this.taken = []
    this.marks = []
    return { [Symbol.asyncIterator]: () => ({ next: () => this.next() }) }
  }

  private async next(): Promise<IteratorResult<unknown, undefined>> {
    const next = this.again.shift() ?? (await this.read())
    if (next === undefined) return { done: true, value: undefined }
    const index = this.count++
    const [at, line] = this.marks.at(-1) ?? [0, 0]
    if (this.marks.length === 0 || next.line - index !== line - at) this.marks.push([index, next.line])
    this.taken.push(next)
    if (this.taken.length > keptTaken) this.taken.shift()
    return { done: false, value: next.data }
  }

  /** The next line that its contract accepts. */
  private async read(): Promise<Taken | undefined> {
    for (;;) {
      const result = await this.source.next()
      if (result.done === true) return undefined
      const { number, value } = result.value
      this.lastLine = number
      const data = Result.isSuccess(value)
        ? this.decode(value.success)
        : Result.fail<ReadonlyArray<Fault>>([{ path: "data", expected: value.failure }])
      if (Result.isSuccess(data)) return { line: number, data: data.success }
      this.refuse({
        line: number,
        id: null,
        reason: "Invalid",
        message: new PublishReason.Invalid({ faults: data.failure }).message
      })
    }
  }

  /** The event at this position of the call failed. */
  failed(index: number, { id, reason }: PublishError): void {
    this.refuse({ line: this.lineOf(index), id, reason: reason._tag, message: reason.message })
  }

  /** The call sent nothing from this position on. Returns the first line that was not sent. */
  stopped(next: number): number {
    const first = this.count - this.taken.length
    this.again = [...this.taken.slice(Math.max(0, next - first)), ...this.again]
    return this.again[0]?.line ?? this.lastLine + 1
  }

  report(next: number | null) {
    const { refusals, refused } = this
    return { refused, refusals: refusals.toSorted((one, other) => one.line - other.line), next }
  }

  private lineOf(index: number): number {
    let [low, high] = [0, this.marks.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.marks[middle]?.[0] ?? 0) <= index) low = middle
      else high = middle - 1
    }
    const [at, line] = this.marks[low] ?? [0, 0]
    return line + index - at
  }

  private refuse(refusal: Refusal): void {
    this.refused++
    if (this.refusals.length < keptRefusals) this.refusals.push(refusal)
    this.onRefused?.(refusal)
  }
}
