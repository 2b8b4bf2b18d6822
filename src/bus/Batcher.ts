/**
 * Collects what comes one by one into batches: until one is full, or its time is up since the first.
 * Each that joins ends with its own part of what came of its batch.
 *
 * A batch that is due while all others that may run do so goes on collecting. Who leaves before his batch
 * runs takes nobody along; a running one is interrupted when all have left, and who left waits for its
 * end, so that nothing of it runs beside what comes after.
 */
import { type Context, Effect, type Exit, type Fiber } from "effect"

export interface Batcher<T> {
  /** Ends as `outcome` says of it; `alone` when nobody will join it. */
  readonly join: (item: T, alone: boolean) => Effect.Effect<unknown, unknown>
  /** From now on nothing waits for more. */
  readonly flush: () => void
  /** Batches at work at once. */
  readonly setConcurrency: (count: number) => void
}

export interface BatcherOptions<T, R> {
  readonly size: number
  readonly withinMillis: number
  readonly deadlineMillis: number
  readonly concurrency: number
  readonly context: Context.Context<R>
  readonly run: (items: ReadonlyArray<T>) => Effect.Effect<unknown, unknown, R>
  /** What came of each, asked of all; `exit` is undefined for one that did not end in time. Called when it has ended. */
  readonly outcome: (
    items: ReadonlyArray<T>,
    exit: Exit.Exit<unknown, unknown> | undefined
  ) => (index: number) => Exit.Exit<unknown, unknown>
}

interface Place<T> {
  readonly item: T
  readonly end: (exit: Exit.Exit<unknown, unknown>) => void
  gone: boolean
}

interface Batch<T> {
  places: Array<Place<T>>
  state: "collecting" | "due" | "running" | "ended"
  /** Ends its collecting, then its running. */
  timer: Fiber.Fiber<unknown> | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** Whether it counts as at work. */
  counted: boolean
  late: boolean
  readonly ended: Array<() => void>
}

/** What a batch may take to end once it was interrupted, before another one runs in its place. */
export const graceMillis = 5000

export const make = <T, R>(options: BatcherOptions<T, R>): Batcher<T> => {
  const { context, deadlineMillis, outcome, size, withinMillis } = options
  const run = Effect.runForkWith(context)
  /** Those that may run, oldest first; the last one may still be collecting. */
  const due: Array<Batch<T>> = []
  let collecting: Batch<T> | undefined
  let concurrency = options.concurrency
  let atWork = 0
  let flushed = false
  let starting = false

  const later = (millis: number, then: () => void): Fiber.Fiber<unknown> =>
    run(Effect.andThen(Effect.sleep(millis), Effect.sync(then)))

  const open = (): Batch<T> => {
    const batch: Batch<T> = {
      places: [],
      state: "collecting",
      timer: undefined,
      fiber: undefined,
      counted: false,
      late: false,
      ended: []
    }
    collecting = batch
    return batch
  }

  const add = (place: Place<T>, alone: boolean): Batch<T> => {
    const batch = collecting ?? open()
    batch.places.push(place)
    if (batch.places.length >= size) collecting = undefined
    if (collecting === undefined || alone || flushed) ready(batch)
    else if (batch.state === "collecting") batch.timer ??= later(withinMillis, () => ready(batch))
    return batch
  }

  const ready = (batch: Batch<T>): void => {
    if (batch.state === "collecting") {
      batch.state = "due"
      batch.timer?.interruptUnsafe()
      batch.timer = undefined
      due.push(batch)
    }
    next()
  }

  const next = (): void => {
    // A batch that ends at once would otherwise start the next one inside of its own end.
    if (starting) return
    starting = true
    while (atWork < concurrency) {
      const batch = due.shift()
      if (batch === undefined) break
      if (batch === collecting) collecting = undefined
      start(batch)
    }
    starting = false
  }

  const start = (batch: Batch<T>): void => {
    batch.state = "running"
    batch.counted = true
    atWork++
    const fiber = run(Effect.suspend(() => options.run(batch.places.map(({ item }) => item))))
    batch.fiber = fiber
    // Its handler may be what ended those who wait for it.
    if (batch.places.every(({ gone }) => gone)) fiber.interruptUnsafe()
    fiber.addObserver((exit) => ended(batch, exit))
    if (isEnded(batch)) return
    batch.timer = later(deadlineMillis, () => {
      batch.late = true
      batch.timer = later(graceMillis, () => free(batch))
      fiber.interruptUnsafe()
    })
  }

  const ended = (batch: Batch<T>, exit: Exit.Exit<unknown, unknown>): void => {
    batch.state = "ended"
    batch.timer?.interruptUnsafe()
    if (batch.counted) atWork--
    batch.counted = false
    const { places } = batch
    const exitOf = outcome(
      places.map(({ item }) => item),
      batch.late ? undefined : exit
    )
    // Of all, those who have left too, and first: who hears of his end may make the others leave within the call.
    const exits = places.map((_, index) => exitOf(index))
    for (const [index, exit] of exits.entries()) {
      const place = places[index]
      if (place?.gone === false) place.end(exit)
    }
    for (const told of batch.ended) told()
    next()
  }

  /** It neither ends nor can be interrupted: another one may run. */
  const free = (batch: Batch<T>): void => {
    if (!batch.counted) return
    batch.counted = false
    atWork--
    next()
  }

  const leave = (batch: Batch<T>, place: Place<T>): Effect.Effect<void> => {
    place.gone = true
    switch (batch.state) {
      case "collecting":
      case "due": {
        batch.places = batch.places.filter((other) => other !== place)
        if (batch.places.length > 0) return Effect.void
        batch.timer?.interruptUnsafe()
        if (collecting === batch) collecting = undefined
        if (batch.state === "due") due.splice(due.indexOf(batch), 1)
        return Effect.void
      }
      case "running": {
        const over = Effect.callback<void>((resume) => {
          if (isEnded(batch)) resume(Effect.void)
          else batch.ended.push(() => resume(Effect.void))
        })
        if (batch.places.every(({ gone }) => gone)) batch.fiber?.interruptUnsafe()
        return over
      }
      case "ended":
        return Effect.void
    }
  }

  return {
    join: (item, alone) =>
      Effect.callback<unknown, unknown>((resume) => {
        const place: Place<T> = { item, end: resume, gone: false }
        const batch = add(place, alone)
        return Effect.suspend(() => leave(batch, place))
      }),
    flush: () => {
      flushed = true
      if (collecting !== undefined) ready(collecting)
    },
    setConcurrency: (count) => {
      concurrency = count
      next()
    }
  }
}

/** Asked anew each time: calls in between change it. */
const isEnded = (batch: { readonly state: string }): boolean => batch.state === "ended"
