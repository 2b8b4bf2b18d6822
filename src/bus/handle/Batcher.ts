/**
 * Collects items into batches: a batch is due when it is full, or when its time is up since its first item. Each
 * item ends with its own part of the outcome of its batch.
 *
 * A due batch goes on collecting while as many batches as may run do so. An item that leaves before its batch
 * runs takes no other along. A running batch is interrupted once every item has left, and an item that left waits
 * for the end of the batch, so that nothing of it runs beside what comes after.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Running } from "../delivery/Work.ts"
import { batchGraceMillis } from "../subscriber/OptionChecks.ts"

export interface BatcherOptions<T, R> {
  readonly size: number
  readonly maxWaitMillis: number
  readonly deadlineMillis: number
  readonly concurrency: number
  readonly context: Context.Context<R>
  readonly run: (items: ReadonlyArray<T>) => Effect.Effect<unknown, unknown, R>
  /** Called at the end of a batch. Returns the exit of each item. `exit` is undefined for a batch that missed its deadline. */
  readonly outcome: (
    items: ReadonlyArray<T>,
    exit: Exit.Exit<unknown, unknown> | undefined
  ) => (index: number) => Exit.Exit<unknown, unknown>
}

/** The place of an item in its batch, until the item has ended. */
class Place<T> implements Running {
  readonly item: T
  readonly batch: Batch<T>
  private readonly leaving: (place: Place<T>) => void
  /** It was interrupted. */
  left = false
  private exit: Exit.Exit<unknown, unknown> | undefined = undefined
  private observer: ((exit: Exit.Exit<unknown, unknown>) => void) | undefined = undefined

  constructor(item: T, batch: Batch<T>, leaving: (place: Place<T>) => void) {
    this.item = item
    this.batch = batch
    this.leaving = leaving
  }

  end(exit: Exit.Exit<unknown, unknown>): void {
    this.exit = exit
    this.observer?.(exit)
  }

  /** The last observer is the one that is called. */
  addObserver(observer: (exit: Exit.Exit<unknown, unknown>) => void): void {
    this.observer = observer
    if (this.exit !== undefined) observer(this.exit)
  }

  interruptUnsafe(): void {
    if (this.left || this.exit !== undefined) return
    this.left = true
    this.leaving(this)
  }
}

const interrupted = Exit.interrupt()

class Batch<T> {
  members: Array<Place<T>> = []
  state: "collecting" | "due" | "running" | "ended" = "collecting"
  /** Ends its collecting, then its running. */
  timer: Fiber.Fiber<unknown> | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** Whether it counts against the concurrency. */
  counted = false
  late = false
  readonly onEnd: Array<() => void> = []

  allLeft(): boolean {
    return this.members.every(({ left }) => left)
  }

  // A method, because TypeScript narrows the state across calls that change it.
  hasEnded(): boolean {
    return this.state === "ended"
  }
}

export class Batcher<T, R> {
  private readonly options: BatcherOptions<T, R>
  private readonly fork: <A, E>(effect: Effect.Effect<A, E, R>) => Fiber.Fiber<A, E>
  /** Batches that may run, oldest first. The last one may still be collecting. */
  private readonly due: Array<Batch<T>> = []
  private collecting: Batch<T> | undefined
  private concurrency: number
  private running = 0
  private flushed = false
  private starting = false

  constructor(options: BatcherOptions<T, R>) {
    this.options = options
    this.fork = Effect.runForkWith(options.context)
    this.concurrency = options.concurrency
  }

  /** Puts an item into a batch. With `alone`, that does not wait for more items. */
  join(item: T, alone: boolean): Running {
    const batch = (this.collecting ??= new Batch<T>())
    const place = new Place(item, batch, this.leaving)
    this.add(place, alone)
    return place
  }

  /** The same as an Effect, which ends with the item's part of its batch. */
  joined(item: T, alone: boolean): Effect.Effect<unknown, unknown> {
    return Effect.callback<unknown, unknown>((resume) => {
      const place = this.join(item, alone)
      place.addObserver(resume)
      return Effect.callback<void>((left) => {
        place.addObserver(() => left(Effect.void))
        place.interruptUnsafe()
      })
    })
  }

  /** From now on no batch waits for more items. */
  flush(): void {
    this.flushed = true
    if (this.collecting !== undefined) this.makeDue(this.collecting)
  }

  /** Sets how many batches run at once from now on. */
  setConcurrency(count: number): void {
    this.concurrency = count
    this.startDue()
  }

  private add(place: Place<T>, alone: boolean): void {
    const { size, maxWaitMillis } = this.options
    const { batch } = place
    batch.members.push(place)
    if (batch.members.length >= size) this.collecting = undefined
    if (this.collecting === undefined || alone || this.flushed) this.makeDue(batch)
    else if (batch.state === "collecting") batch.timer ??= this.after(maxWaitMillis, () => this.makeDue(batch))
  }

  private makeDue(batch: Batch<T>): void {
    if (batch.state === "collecting") {
      batch.state = "due"
      batch.timer?.interruptUnsafe()
      batch.timer = undefined
      this.due.push(batch)
    }
    this.startDue()
  }

  private startDue(): void {
    // A batch that ends at once would otherwise start the next one inside of its own end.
    if (this.starting) return
    this.starting = true
    while (this.running < this.concurrency) {
      const batch = this.due.shift()
      if (batch === undefined) break
      if (batch === this.collecting) this.collecting = undefined
      this.start(batch)
    }
    this.starting = false
  }

  private start(batch: Batch<T>): void {
    const { deadlineMillis, run } = this.options
    batch.state = "running"
    batch.counted = true
    this.running++
    const fiber = this.fork(Effect.suspend(() => run(batch.members.map(({ item }) => item))))
    batch.fiber = fiber
    // The handler itself may have made every item leave.
    if (batch.allLeft()) fiber.interruptUnsafe()
    fiber.addObserver((exit) => this.end(batch, exit))
    if (batch.hasEnded()) return
    batch.timer = this.after(deadlineMillis, () => {
      batch.late = true
      batch.timer = this.after(batchGraceMillis, () => this.freePlace(batch))
      fiber.interruptUnsafe()
    })
  }

  private end(batch: Batch<T>, exit: Exit.Exit<unknown, unknown>): void {
    batch.state = "ended"
    batch.timer?.interruptUnsafe()
    if (batch.counted) this.running--
    batch.counted = false
    const { members } = batch
    const exitOf = this.options.outcome(
      members.map(({ item }) => item),
      batch.late ? undefined : exit
    )
    // Compute every exit before resuming any member: a resumed member may make others leave synchronously.
    const exits = members.map((_, index) => exitOf(index))
    for (const [index, exit] of exits.entries()) {
      const member = members[index]
      if (member?.left === false) member.end(exit)
    }
    for (const callback of batch.onEnd) callback()
    this.startDue()
  }

  /** Lets another batch run instead of one that neither ends nor can be interrupted. */
  private freePlace(batch: Batch<T>): void {
    if (!batch.counted) return
    batch.counted = false
    this.running--
    this.startDue()
  }

  private readonly leaving = (place: Place<T>): void => {
    const { batch } = place
    switch (batch.state) {
      case "collecting":
      case "due": {
        batch.members = batch.members.filter((other) => other !== place)
        if (batch.members.length === 0) this.discard(batch)
        return place.end(interrupted)
      }
      case "running": {
        batch.onEnd.push(() => place.end(interrupted))
        if (batch.allLeft()) batch.fiber?.interruptUnsafe()
        return
      }
      case "ended":
        return place.end(interrupted)
    }
  }

  /** Drops an empty batch that did not start. */
  private discard(batch: Batch<T>): void {
    batch.timer?.interruptUnsafe()
    if (this.collecting === batch) this.collecting = undefined
    if (batch.state === "due") this.due.splice(this.due.indexOf(batch), 1)
  }

  private after(millis: number, run: () => void): Fiber.Fiber<unknown> {
    return this.fork(Effect.andThen(Effect.sleep(millis), Effect.sync(run)))
  }
}
