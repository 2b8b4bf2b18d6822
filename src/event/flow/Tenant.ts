/** The tenant of an event: whose it is, where one service works for several customers. */
import * as Context from "effect/Context"
import * as Limits from "../Limits.ts"

/**
 * The tenant of the running fiber: a publish carries it. Within a handler it is that of the event.
 *
 * @example
 * ```ts
 * import { CurrentTenant } from "@eduflow/events"
 * import { Effect } from "effect"
 *
 * declare const enrol: Effect.Effect<void>
 * export const program = enrol.pipe(Effect.provideService(CurrentTenant, "school-7"))
 * ```
 */
export const CurrentTenant: Context.Reference<string | undefined> = Context.Reference<string | undefined>(
  "@eduflow/events/event/CurrentTenant",
  { defaultValue: () => undefined }
)

/**
 * The tenant in an attribute of any program, which may be an Integer of CloudEvents. Undefined where it says none, null where it
 * is something else: ignored, an event could be handled for nobody, or for the wrong one.
 */
export const read = (value: unknown): string | undefined | null => {
  if (value === undefined || value === null || value === "") return undefined
  const text = typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value
  return typeof text === "string" && Limits.fits(text) ? text : null
}
