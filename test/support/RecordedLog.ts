/** The log lines of a test, as data. */
import { Logger, References } from "effect"

export interface Line {
  readonly level: string
  readonly message: unknown
  readonly fields: Readonly<Record<string, unknown>>
}

/** A logger that keeps its lines instead of writing them. */
export const recordedLog = () => {
  const lines: Array<Line> = []
  const layer = Logger.layer([
    Logger.make(({ fiber, logLevel, message }) => {
      const [only] = Array.isArray(message) ? message : [message]
      lines.push({ level: logLevel, message: only, fields: fiber.getRef(References.CurrentLogAnnotations) })
    })
  ])
  /** Those with this message, oldest first. */
  const of = (message: string): ReadonlyArray<Line> => lines.filter((line) => line.message === message)
  return { lines, of, layer }
}
