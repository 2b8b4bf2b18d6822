/**
 * A logger in front of another one that removes secrets from messages, annotations and causes before they reach it.
 */
import * as Context from "effect/Context"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import type { Redaction } from "../../observe/Redaction.ts"

/**
 * A logger reads annotations from the fiber that logs, so the fiber carries the redacted ones for the duration of
 * the call. The call is synchronous: no other code of the fiber can observe them.
 */
export const make = (logger: Logger.Logger<unknown, void>, redaction: Redaction): Logger.Logger<unknown, void> =>
  Logger.make((options) => {
    const { cause, fiber, message } = options
    const original = fiber.context
    const annotations = redaction.fields(fiber.getRef(References.CurrentLogAnnotations))
    fiber.setContext(Context.add(original, References.CurrentLogAnnotations, annotations))
    try {
      logger.log({
        ...options,
        cause: cause.reasons.length === 0 ? cause : redaction.cause(cause),
        message: Array.isArray(message) ? message.map(redaction.value) : redaction.value(message)
      })
    } finally {
      fiber.setContext(original)
    }
  })
