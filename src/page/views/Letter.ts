/** One dead letter: its diagnosis, its body, and what is done with it. */
import * as Client from "../Client.ts"
import { confirm, say, sayFailed, sayNothing } from "../Dialog.ts"
import { button, fill, h, outside, textarea } from "../Dom.ts"
import { longText } from "../LongText.ts"
import { inTurn, worker } from "../LetterWork.ts"
import { brief, count, oneLine, plural, pretty, short } from "../Text.ts"
import { ago, stamp } from "../Time.ts"
import { addressOf, type Context, type View } from "../View.ts"

export const letter = ({ session }: Context, source: string, id: string): View => {
  const problem = h("p", { class: "problem", hidden: true })
  const content = h("div", { "aria-busy": "true" })
  let reading: Promise<void> = Promise.resolve()
  const work = worker({
    source,
    session,
    scope: () => ({ body: { ids: [id] }, text: "this letter" }),
    isSingle: true,
    ready: () => reading,
    onDone: () => void read(true)
  })
  const read = (mayBeGone = false): Promise<void> => (reading = inTurn(() => look(mayBeGone)))
  const look = async (mayBeGone: boolean): Promise<void> => {
    try {
      const found = await Client.get<Client.LetterDetail>(["dead-letters", source, id], { body: "true" })
      problem.hidden = true
      fill(
        content,
        ...detailOf(found),
        editor(session, source, found, () => void read(true))
      )
    } catch (error) {
      if (mayBeGone && error instanceof Client.Failure && error.status === 404)
        return fill(content, h("p", { class: "notice" }, "The letter is not here any more."))
      problem.hidden = false
      fill(problem, Client.problem(error))
    } finally {
      content.removeAttribute("aria-busy")
    }
  }
  void read()
  return {
    title: `Dead letter ${brief(id, 60)}`,
    dispose: work.dispose,
    element: h(
      "div",
      {},
      h("p", {}, h("a", { href: addressOf("dead-letters", source) }, "All letters of ", outside(brief(source)))),
      problem,
      h("div", { class: "panel" }, work.element),
      content
    )
  }
}

const fact = (name: string, value: string | number | null | undefined): ReadonlyArray<HTMLElement> =>
  value === null || value === undefined || value === ""
    ? []
    : [h("dt", {}, name), h("dd", {}, outside(oneLine(short(String(value), 2000))))]

const moment = (name: string, iso: string | null): ReadonlyArray<HTMLElement> =>
  fact(name, iso === null ? null : `${stamp(iso)} (${ago(iso)} ago)`)

const detailOf = (found: Client.LetterDetail): ReadonlyArray<HTMLElement> => {
  const { body, edits, failures, signed, stack } = found
  return [
    h("h2", {}, "Diagnosis"),
    h(
      "dl",
      { class: "facts" },
      ...fact("Event", found.event),
      ...fact("Id", found.id),
      ...fact("Key", found.key),
      ...fact("Reason", found.reason),
      ...fact("Error", found.errorTag),
      ...fact("Message", found.message),
      ...fact("Attempts", found.attempts),
      ...moment("Published", found.publishedAt),
      ...moment("First failure", found.firstFailure),
      ...moment("Last failure", found.lastFailure),
      ...fact("Replays", found.replays),
      ...fact("Signature", signed === null ? null : signed ? "valid" : "missing or wrong"),
      ...fact("Host", found.host),
      ...fact("Library", found.library),
      ...fact("Trace", found.traceparent),
      ...fact("Size", `${count(found.bytes)} bytes`)
    ),
    ...(failures.length === 0
      ? []
      : [
          h("h3", {}, "Failures"),
          h(
            "ol",
            {},
            ...failures.map(({ at, attempt, message, tag }) =>
              h("li", {}, `Attempt ${count(attempt)}, ${stamp(at)}: `, outside(brief(`${tag}: ${message}`, 500)))
            )
          )
        ]),
    ...(edits.length === 0
      ? []
      : [
          h("h3", {}, "Edits"),
          h(
            "ol",
            {},
            ...edits.map(({ at, paths }) => h("li", {}, `${stamp(at)}: `, outside(brief(paths.join(", "), 500))))
          )
        ]),
    ...(stack === null ? [] : [h("h3", {}, "Stack"), longText("Stack", stack)]),
    h("h3", {}, "Body"),
    body === null
      ? h(
          "p",
          { class: "hint" },
          "It is not shown: this server has no contract of the event, which would say what is sensitive in it."
        )
      : longText("Body", pretty(body.value))
  ]
}

/** A correction is a merge patch, which leaves alone what is hidden here. */
const editor = (
  session: Client.Session,
  source: string,
  { event, id }: Client.LetterDetail,
  onDone: () => void
): HTMLElement => {
  const title = h("h2", {}, "Correct and replay")
  if (!session.events.includes(event) || source === "undeliverable")
    return h(
      "section",
      {},
      title,
      h(
        "p",
        { class: "hint" },
        "A correction needs the contract of the event, which this server does not have, and a subscriber."
      )
    )
  const patch = textarea("Fields of the data to change, as JSON", "{\n}", {
    hint: "null removes a field; what is not named stays. The contract judges the result.",
    rows: "5"
  })
  const outcome = h("div", {})
  const send = async (apply: boolean): Promise<Client.Edit> => {
    const body = { patch: JSON.parse(patch.control.value) as unknown }
    return Client.post<Client.Edit>(["dead-letters", source, id, "edit"], body, { apply })
  }
  const attempt = async (run: () => Promise<void>): Promise<void> => {
    sayNothing()
    try {
      await run()
    } catch (error) {
      sayFailed(error instanceof SyntaxError ? "The change is not JSON." : Client.problem(error))
    }
  }
  const changed = ({ changed }: Client.Edit): HTMLElement =>
    h("p", {}, `${plural(changed.length, "field")}: `, outside(brief(changed.join(", "), 500)))
  const tryIt = () =>
    attempt(async () => {
      const tried = await send(false)
      fill(outcome, changed(tried))
      say(`Dry run: ${plural(tried.changed.length, "field")} would change.`)
    })
  const doIt = () =>
    attempt(async () => {
      const tried = await send(false)
      const isWanted = await confirm({
        title: "Correct and replay this letter?",
        lines: [changed(tried), "It stays the same event. Its history says which fields changed."],
        action: "Correct and replay"
      })
      if (!isWanted) return say("Nothing was changed.")
      await send(true)
      say("The letter is corrected and replayed.")
      onDone()
    })
  return h(
    "section",
    { class: "panel" },
    title,
    patch.element,
    h(
      "div",
      { class: "actions" },
      button("Try the change", () => void tryIt()),
      button("Correct and replay…", () => void doIt(), { class: "primary", disabled: session.readOnly })
    ),
    outcome
  )
}
