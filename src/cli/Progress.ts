/** A line that follows a long operation, on a terminal only, and never wider than it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const everyMillis = 100
/** Of a terminal that does not say how wide it is. */
const usualColumns = 80

/** Runs with a function that shows how far it is. The line is gone at the end. */
export const during = <A, E, R>(
  isShown: boolean,
  verb: string,
  run: (progress: ((done: number, found: number) => void) | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const { stderr } = process
  if (!isShown || !stderr.isTTY) return run(undefined)
  const width = Math.max(0, (stderr.columns || usualColumns) - 1)
  return Effect.flatMap(Clock.clockWith(Effect.succeed), (clock) => {
    let shownAt = 0
    const show = (done: number, found: number): void => {
      const now = clock.currentTimeMillisUnsafe()
      if (now - shownAt < everyMillis && done < found) return
      shownAt = now
      stderr.write(`\r\u001b[K${line(verb, done, found, width)}`)
    }
    return Effect.ensuring(
      run(show),
      Effect.sync(() => void stderr.write("\r\u001b[K"))
    )
  })
}

const barWidth = 20

export const line = (verb: string, done: number, found: number, width: number): string => {
  const share = found === 0 ? 1 : Math.min(1, done / found)
  const full = Math.round(share * barWidth)
  const bar = `[${"#".repeat(full)}${".".repeat(barWidth - full)}]`
  const text = `${bar} ${verb} ${done} of ${found}`
  return (text.length <= width ? text : `${done}/${found}`).slice(0, width)
}
