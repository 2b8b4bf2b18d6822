/** Last known events by key, and their history. */
import * as Client from "../Client.ts"
import { button, fill, freshId, h, input, outside } from "../Dom.ts"
import { longText } from "../LongText.ts"
import { brief, pretty } from "../Text.ts"
import { ago, stamp } from "../Time.ts"
import type { Context, View } from "../View.ts"

type Seen = Client.History["events"][number]

const mostKeys = 50

export const known = ({ session }: Context): View => {
  const listId = freshId()
  const event = input("Event", { name: "event", list: listId, required: true, placeholder: "academic.grade.posted" })
  const keys = input("Keys", { name: "keys", hint: "Separated by commas; none for events without a key" })
  const limit = input("Events of the history", { type: "number", min: "1", max: "100", value: "20" })
  const found = h("div", { role: "region", "aria-label": "Found", "aria-live": "polite" })
  const problem = h("p", { class: "problem", hidden: true, role: "alert" })

  const show = async (read: () => Promise<ReadonlyArray<HTMLElement>>): Promise<void> => {
    problem.hidden = true
    try {
      fill(found, ...(await read()))
    } catch (error) {
      fill(found)
      problem.hidden = false
      fill(problem, Client.problem(error))
    }
  }
  const asked = (): ReadonlyArray<string> =>
    keys.control.value
      .split(",")
      .map((key) => key.trim())
      .filter((key) => key !== "")
      .slice(0, mostKeys)
  const last = () =>
    show(async () => {
      const report = await Client.get<Client.Last>(["last", event.control.value.trim()], { key: asked() })
      return report.found.map(({ key, seen }) =>
        seen === null ? nothing(key) : seenOf(key === null ? "Last known" : `Last known of ${brief(key)}`, seen)
      )
    })
  const history = () =>
    show(async () => {
      const [key] = asked()
      const report = await Client.get<Client.History>(["history", event.control.value.trim()], {
        key,
        limit: limit.control.value
      })
      return report.events.length === 0
        ? [nothing(key ?? null)]
        : report.events.map((seen) => seenOf(stamp(seen.at), seen))
    })
  const form = h(
    "form",
    {
      class: "panel",
      "aria-label": "What to look for",
      onsubmit: (submitted: SubmitEvent) => {
        submitted.preventDefault()
        void last()
      }
    },
    h("datalist", { id: listId }, ...session.events.map((name) => h("option", { value: name }))),
    h("div", { class: "fields" }, event.element, keys.element, limit.element),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: "primary" }, "Last known"),
      button("History", () => {
        if (form.reportValidity()) void history()
      })
    ),
    h("p", { class: "hint" }, "A history is of the first key, or of the event over all keys without one.")
  )
  return { title: "Last known events", element: h("div", {}, form, problem, found), dispose: () => {} }
}

const nothing = (key: string | null): HTMLElement =>
  h("p", { class: "empty" }, "Nothing is remembered", key !== null && " of ", key !== null && outside(brief(key)), ".")

const seenOf = (title: string, { at, data, event, eventVersion, id, key, problem, source }: Seen): HTMLElement =>
  h(
    "article",
    { class: "panel" },
    h("h2", {}, outside(title)),
    h(
      "p",
      { class: "hint" },
      outside(brief(event)),
      eventVersion !== null && ` version ${eventVersion}`,
      key !== null && ", key ",
      key !== null && outside(brief(key)),
      ", id ",
      outside(brief(id)),
      ", from ",
      outside(brief(source)),
      at !== null && `, ${ago(at)} ago`
    ),
    problem !== null && h("p", { class: "notice" }, outside(brief(problem, 500))),
    data === null
      ? h("p", { class: "hint" }, "Its data is not shown: this server has no contract of the event that fits.")
      : longText(`Data of ${brief(id)}`, pretty(data.value))
  )
