/** `eventbus tail`, `last`, `history` and `watch`. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { printable } from "../../event/FieldValue.ts"
import type { LiveItem } from "../../operations/live/LiveOperations.ts"
import type * as LiveReports from "../../operations/LiveReports.ts"
import type { Seen } from "../../operations/live/SeenEvent.ts"
import { type Common, run as withSession, type Session } from "../Session.ts"
import { json, type Paint } from "../Text.ts"

interface Shown {
  readonly body: boolean
  readonly limit: Option.Option<number>
}

const showingOf = ({ known }: Session, body: boolean) => ({ contracts: known.contracts, bodies: body })

/** The longest data of a line that is read by people: a terminal has little more. */
const shortLength = 160

const lineOf = ({ at, data, event, id, key, problem }: Seen, paint: Paint): string => {
  const text = data === null ? "" : typeof data.value === "string" ? data.value : JSON.stringify(data.value)
  const short = text.length > shortLength ? `${text.slice(0, shortLength - 1)}…` : text
  return [
    paint.dim(at ?? "-"),
    paint.bold(printable(event)),
    printable(key ?? "-"),
    printable(id),
    ...(short === "" ? [] : [printable(short)]),
    ...(problem === null ? [] : [paint.red(`(${printable(problem)})`)])
  ].join("  ")
}

const itemLine = (item: LiveItem, paint: Paint): string | undefined => {
  if (item.kind === "event") return lineOf(item, paint)
  return item.kind === "tail.gap" ? paint.yellow(`${item.at ?? "-"}  events may be missing here`) : undefined
}

/** Writes what comes; how much it was is said also when Ctrl-C ends it. */
export const follow = <Item extends { readonly kind: string }, E>(
  { output }: Session,
  pattern: string,
  lineOfItem: (item: Item, paint: Paint) => string | undefined,
  run: (onItem: (item: Item) => Effect.Effect<void>) => Effect.Effect<typeof LiveReports.Tail.Type, E>
) =>
  Effect.suspend(() => {
    const counts = { events: 0, gaps: 0 }
    const onItem = (item: Item): Effect.Effect<void> => {
      if (item.kind === "tail.gap") counts.gaps++
      else if (item.kind !== "tail.begun") counts.events++
      if (output.isJson) return Console.log(json(item))
      const line = lineOfItem(item, output.paint)
      return line === undefined
        ? output.note(`${printable(pattern)} is shown from now on, until Ctrl-C`)
        : Console.log(line)
    }
    const summary = (report: typeof LiveReports.Tail.Type) =>
      output.isJson
        ? Console.log(json(report))
        : output.note(`${report.events} shown${report.gaps > 0 ? `, ${report.gaps} gaps` : ""}`)
    return run(onItem).pipe(
      Effect.tap(summary),
      Effect.onInterrupt(() => summary({ kind: "tail", version: 1, pattern, ...counts }))
    )
  })

export const tail = (common: Common, { body, limit, pattern }: Shown & { readonly pattern: string }) =>
  withSession(common, (session) =>
    follow(session, pattern, itemLine, (onItem) =>
      session.operations.tail({
        ...showingOf(session, body),
        pattern,
        onItem,
        limit: Option.getOrUndefined(limit)
      })
    )
  )

export const watch = (
  common: Common,
  { body, event, key, limit }: Shown & { readonly event: string; readonly key: Option.Option<string> }
) =>
  withSession(common, (session) =>
    follow(session, event, itemLine, (onItem) =>
      session.operations.watch({
        ...showingOf(session, body),
        event,
        onItem,
        key: Option.getOrUndefined(key),
        limit: Option.getOrUndefined(limit)
      })
    )
  )

export const last = (
  common: Common,
  { body, event, keys }: { readonly event: string; readonly keys: ReadonlyArray<string>; readonly body: boolean }
) =>
  withSession(common, (session) =>
    Effect.gen(function* () {
      const { operations, output } = session
      const report = yield* operations.last(event, keys, showingOf(session, body))
      yield* output.report(report, () =>
        report.found.map(({ key, seen }) =>
          seen === null
            ? `nothing is remembered of ${printable(event)}${key === null ? "" : ` ${printable(key)}`}`
            : lineOf(seen, output.paint)
        )
      )
    })
  )

const usualHistory = 20

export const history = (
  common: Common,
  { body, event, key, limit }: Shown & { readonly event: string; readonly key: Option.Option<string> }
) =>
  withSession(common, (session) =>
    Effect.gen(function* () {
      const { operations, output } = session
      const report = yield* operations.history({
        ...showingOf(session, body),
        event,
        key: Option.getOrUndefined(key),
        limit: Option.getOrElse(limit, () => usualHistory)
      })
      yield* output.report(report, () => [
        ...report.events.map((seen) => lineOf(seen, output.paint)),
        ...(report.events.length === 0 ? ["nothing is remembered"] : [])
      ])
    })
  )
