/** Tries, replays and discards dead letters, and shows how far a replay or a discard is while it runs. */
import * as Client from "./Client.ts"
import { confirm, say, sayFailed, sayNothing } from "./Dialog.ts"
import { button, fill, h, input, outside } from "./Dom.ts"
import { brief, count, plural } from "./Text.ts"
import { pause, repeat } from "./Time.ts"

/** Which letters are meant. */
export interface Scope {
  readonly body: Readonly<Record<string, unknown>>
  readonly text: string
  /** Every letter of the source. */
  readonly isAll?: boolean
}

interface WorkerOptions {
  readonly source: string
  readonly session: Client.Session
  readonly scope: () => Scope
  /** One letter has no speed. */
  readonly isSingle?: boolean
  /** Resolves when the page reads no letters: a server that looks at them holds them, and nobody else sees them meanwhile. */
  readonly ready: () => Promise<void>
  readonly onDone: () => void
}

const progressEveryMillis = 300

type Verb = "replay" | "discard"
type Done = Client.Replay | Client.Discard

/** What was done, or would be. */
const doneOf = (report: Done): number => ("replayed" in report ? report.replayed : report.discarded)

const words = {
  replay: { would: "would be replayed", did: "replayed", title: "Replay", ing: "Replaying" },
  discard: { would: "would be deleted for good", did: "deleted", title: "Discard", ing: "Discarding" }
} as const

/** Sends one request at a time, and shows how far it is. */
const sender = ({ scope, source }: WorkerOptions, rate: () => number) => {
  const progress = h("progress", { "aria-label": "Progress", max: "1", value: "0" })
  const progressText = h("span", {})
  let running: AbortController | undefined
  const stop = (): void => running?.abort()
  const element = h("div", { class: "progress", hidden: true }, progress, progressText, button("Stop", stop))
  const askedOf = (verb: Verb) => {
    const { body, isAll = false } = scope()
    const perSecond = rate()
    return {
      ...body,
      ...(verb === "discard" && isAll && { all: true }),
      ...(verb === "replay" && perSecond > 0 && { rate: perSecond })
    }
  }
  const send = async (verb: Verb, apply: boolean): Promise<Done> => {
    const asked = askedOf(verb)
    const work = workName()
    const { signal } = (running = new AbortController())
    const word = apply ? words[verb].ing : "Looking"
    fill(progressText, `${word} …`)
    progress.removeAttribute("value")
    element.hidden = false
    const reading = repeat(progressEveryMillis, async () => {
      const found = await Client.get<Client.Work>(["work"], {}, signal).catch(() => undefined)
      const one = found?.running.find((running) => running.work === work)
      if (one === undefined || one.found === null) return
      progress.max = Math.max(1, one.found)
      progress.value = one.done
      fill(progressText, `${word}: ${count(one.done)} of ${count(one.found)}`)
    })
    try {
      return await Client.post<Done>(["dead-letters", source, verb], asked, { apply, work, signal })
    } finally {
      reading.stop()
      element.hidden = true
      running = undefined
    }
  }
  return { element, send, stop, isRunning: () => running !== undefined }
}

const mostLooks = 20

/** A server that stops gives back the letters that it holds: until then they are not to be seen. */
const stopped = async (source: string): Promise<void> => {
  for (let looks = 0; looks < mostLooks; looks++) {
    const { running } = await Client.get<Client.Work>(["work"])
    if (!running.some((one) => one.source === source)) return
    await pause(progressEveryMillis)
  }
}

let lastLook: Promise<void> = Promise.resolve()

/**
 * Looks at dead letters one after the other, whichever view asks: what one look holds, another does not see. `look` never
 * rejects.
 */
export const inTurn = (look: () => Promise<void>): Promise<void> => (lastLook = lastLook.then(look))

export const worker = (options: WorkerOptions) => {
  const { isSingle = false, session, source } = options
  const rate = input("Replays a second", {
    inputmode: "decimal",
    placeholder: "no limit"
  })
  const outcome = h("div", { class: "outcome" })
  const { element: bar, isRunning, send, stop } = sender(options, () => Number.parseFloat(rate.control.value))
  const attempt = async (run: () => Promise<void>): Promise<void> => {
    await options.ready()
    if (isRunning()) return sayFailed("Something runs already: wait for its end, or stop it.")
    sayNothing()
    try {
      await run()
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "AbortError") return sayFailed(Client.problem(error))
      say("Stopping …")
      await stopped(source).catch(() => {})
      say("Stopped. What was done is done; the rest stays as it was.")
      options.onDone()
    }
  }
  const tryIt = (verb: Verb) =>
    attempt(async () => {
      const report = await send(verb, false)
      fill(outcome, ...outcomeOf(verb, report))
      say(`Dry run: ${plural(doneOf(report), "letter")} ${words[verb].would}.`)
    })
  const doIt = (verb: Verb) =>
    attempt(async () => {
      const { text } = options.scope()
      const tried = await send(verb, false)
      fill(outcome, ...outcomeOf(verb, tried))
      const found = doneOf(tried)
      if (found === 0) return say("Nothing to do: no letter would be taken.")
      const isWanted = await confirm({
        title: `${words[verb].title} ${plural(found, "letter")}?`,
        lines: [h("p", {}, "Source: ", outside(brief(source)), `; ${text}.`), ...outcomeOf(verb, tried)],
        action: words[verb].title,
        isFinal: verb === "discard"
      })
      if (!isWanted) return say("Nothing was changed.")
      const report = await send(verb, true)
      fill(outcome, ...outcomeOf(verb, report))
      say(`${plural(doneOf(report), "letter")} ${words[verb].did}.`)
      options.onDone()
    })
  const isReadOnly = session.readOnly
  const element = h(
    "div",
    { role: "group", "aria-label": "What to do with the letters" },
    h(
      "div",
      { class: "actions" },
      !isSingle && h("div", { class: "small" }, rate.element),
      button("Try a replay", () => void tryIt("replay")),
      button("Replay…", () => void doIt("replay"), { class: "primary", disabled: isReadOnly }),
      button("Discard…", () => void doIt("discard"), { class: "danger", disabled: isReadOnly })
    ),
    isReadOnly && h("p", { class: "hint" }, "This server is read-only: a dry run is possible, a change is not."),
    bar,
    outcome
  )
  return { element, dispose: stop }
}

/** Not `randomUUID`, which browsers have only where the connection is encrypted. */
const workName = (): string =>
  [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("")

const outcomeOf = (verb: Verb, report: Done): ReadonlyArray<HTMLElement> => {
  const { dryRun, errorTags, events, reasons, remaining, skipped } = report
  const refusals = "refusals" in report ? report.refusals : []
  const guarded = "guarded" in report ? report.guarded : 0
  const done = doneOf(report)
  return [
    h(
      "p",
      {},
      `${plural(done, "letter")} ${dryRun ? words[verb].would : words[verb].did}; ${count(skipped)} passed over, ${count(remaining)} ${dryRun ? "would remain" : "remain"}.`
    ),
    ...(guarded > 0
      ? [
          h(
            "p",
            { class: "notice" },
            `${plural(guarded, "letter was", "letters were")} replayed too often already, and would fail again: ${guarded === 1 ? "it stays" : "they stay"}.`
          )
        ]
      : []),
    ...refusals.slice(0, 10).map((text) => h("p", { class: "notice" }, outside(brief(text, 500)))),
    ...(done === 0
      ? []
      : [
          h(
            "dl",
            { class: "facts" },
            ...[
              ["Events", events],
              ["Reasons", reasons],
              ["Error tags", errorTags]
            ].flatMap(([name, counts]) => [
              h("dt", {}, String(name)),
              h("dd", {}, outside(countsOf(counts as Readonly<Record<string, number>>)))
            ])
          )
        ])
  ]
}

const mostCounts = 8

const countsOf = (counts: Readonly<Record<string, number>>): string => {
  const sorted = Object.entries(counts).toSorted(([, one], [, other]) => other - one)
  const shown = sorted.slice(0, mostCounts).map(([name, number]) => `${brief(name, 80)} (${count(number)})`)
  return [...shown, ...(sorted.length > mostCounts ? [`${sorted.length - mostCounts} more`] : [])].join(", ")
}
