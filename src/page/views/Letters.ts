/** Dead letters: where they are, those of one source with a filter, and what is done with them. */
import * as Client from "../Client.ts"
import { sayFailed, sayNothing } from "../Dialog.ts"
import { button, fill, h, input, select } from "../Dom.ts"
import { inTurn, type Scope, worker } from "../LetterWork.ts"
import { table } from "../Table.ts"
import { brief, count, plural } from "../Text.ts"
import { ago, repeat } from "../Time.ts"
import { addressOf, type Context, type View } from "../View.ts"
import { letter } from "./Letter.ts"

const countEveryMillis = 5000
const pageSize = 50

export const letters = (context: Context): View => {
  const [source, id] = context.path
  if (source === undefined) return sources()
  return id === undefined ? list(context, source) : letter(context, source, id)
}

type Source = Client.Sources["sources"][number]

const sources = (): View => {
  const problem = h("p", { class: "problem", hidden: true })
  const incomplete = h(
    "p",
    { class: "hint", hidden: true },
    "These are the subscribers that this server was given. With the address of RabbitMQ's management API all are found."
  )
  const found = table<Source>({
    caption: "Sources",
    empty: "There is no source of dead letters.",
    keyOf: ({ source }) => source,
    columns: [
      { name: "Source", text: ({ source }) => ({ text: source, href: addressOf("dead-letters", source) }) },
      {
        name: "Letters",
        isNumber: true,
        text: ({ letters }) => ({ text: count(letters), ...(letters !== 0 && { tone: "bad" as const }) })
      },
      { name: "Problem", text: ({ problem }) => ({ text: problem ?? "–", most: 300 }) }
    ]
  })
  const reading = repeat(countEveryMillis, async () => {
    try {
      const report = await Client.get<Client.Sources>(["dead-letters"])
      problem.hidden = true
      incomplete.hidden = report.complete
      found.update(report.sources.toSorted((one, other) => (other.letters ?? -1) - (one.letters ?? -1)))
    } catch (error) {
      problem.hidden = false
      fill(problem, Client.problem(error))
    }
  })
  return {
    title: "Dead letters",
    element: h("div", {}, problem, found.element, incomplete),
    dispose: reading.stop
  }
}

/** What the form of the filter says, without what is empty. */
export type Filter = Readonly<Record<string, string>>

const list = ({ session }: Context, source: string): View => {
  const chosen = new Set<string>()
  let filter: Filter = {}
  let shown: ReadonlyArray<Client.Letter> = []
  let next: string | null = null
  const problem = h("p", { class: "problem", hidden: true })
  const form = filterForm(session, (given) => {
    filter = given
    chosen.clear()
    void read()
  })
  const scope = (): Scope =>
    chosen.size > 0
      ? { body: { ids: [...chosen] }, text: plural(chosen.size, "selected letter") }
      : Object.keys(filter).length > 0
        ? { body: filter, text: "all letters that the filter finds" }
        : { body: {}, text: "all letters of this source", isAll: true }
  const what = h("p", { id: "scope", class: "lead", "aria-live": "polite" })
  const tellScope = (): void => fill(what, `Works on ${scope().text}.`)
  const found = letterTable(source, chosen, tellScope)
  const more = button("Show more", () => void read(next ?? undefined), { hidden: true })
  let reading: Promise<void> = Promise.resolve()
  const work = worker({ source, session, scope, ready: () => reading, onDone: () => void read() })

  let isLeft = false
  const read = (after?: string): Promise<void> => (reading = inTurn(() => look(after)))
  const look = async (after?: string): Promise<void> => {
    if (isLeft) return
    try {
      const report = await Client.get<Client.Letters>(["dead-letters", source], { ...filter, limit: pageSize, after })
      problem.hidden = true
      shown = after === undefined ? report.letters : [...shown, ...report.letters]
      next = report.next
      for (const id of chosen) if (!shown.some((letter) => letter.id === id)) chosen.delete(id)
      found.update(shown)
      more.hidden = next === null
      tellScope()
    } catch (error) {
      problem.hidden = false
      fill(problem, Client.problem(error))
    }
  }
  const choose = (isChosen: boolean): void => {
    chosen.clear()
    if (isChosen) for (const { id } of shown) chosen.add(id)
    for (const box of found.element.querySelectorAll("input")) box.checked = isChosen
    tellScope()
  }
  void read()
  return {
    title: `Dead letters of ${brief(source)}`,
    dispose: () => {
      isLeft = true
      work.dispose()
    },
    element: h(
      "div",
      {},
      h("p", {}, h("a", { href: addressOf("dead-letters") }, "All sources")),
      form,
      problem,
      h("div", { class: "panel" }, what, work.element),
      h(
        "div",
        { class: "actions" },
        button("Select all shown", () => choose(true)),
        button("Select none", () => choose(false)),
        button("Read again", () => {
          sayNothing()
          void read()
        })
      ),
      found.element,
      more
    )
  }
}

const letterTable = (source: string, chosen: Set<string>, onChoice: () => void) =>
  table<Client.Letter>({
    caption: "Letters, oldest first",
    empty: "No dead letter.",
    // Two letters may have one id: an event that failed twice.
    keyOf: ({ id, lastFailure }) => `${id} ${lastFailure ?? ""}`,
    columns: [
      {
        name: "Id",
        text: ({ id }) => ({ text: id, href: addressOf("dead-letters", source, id), most: 60 })
      },
      {
        name: "Select",
        made: (latest) =>
          h("input", {
            type: "checkbox",
            "aria-label": `Select ${brief(latest().id, 60)}`,
            checked: chosen.has(latest().id),
            onchange: ({ currentTarget }: { readonly currentTarget: HTMLInputElement }) => {
              if (currentTarget.checked) chosen.add(latest().id)
              else chosen.delete(latest().id)
              onChoice()
            }
          })
      },
      { name: "Event", text: ({ event }) => event },
      { name: "Key", text: ({ key }) => ({ text: key ?? "–", most: 60 }) },
      { name: "Reason", text: ({ reason }) => reason },
      {
        name: "Error",
        text: ({ errorTag, message }) => ({ text: message === "" ? errorTag : `${errorTag}: ${message}` })
      },
      { name: "Attempts", isNumber: true, text: ({ attempts }) => count(attempts) },
      { name: "Failed", text: ({ lastFailure }) => `${ago(lastFailure)} ago` },
      { name: "Replays", isNumber: true, text: ({ replays }) => count(replays) }
    ]
  })

const filterForm = (session: Client.Session, onFilter: (filter: Filter) => void): HTMLElement => {
  const fields = {
    event: input("Event", { placeholder: "academic.#", hint: "A name or a pattern" }),
    reason: select("Reason", [["", "any"], ...session.reasons.map((reason) => [reason, reason] as const)]),
    errorTag: input("Error tag"),
    key: input("Key"),
    olderThan: input("Failed at least … ago", { placeholder: "2 hours" }),
    newerThan: input("Failed at most … ago", { placeholder: "1 day" })
  }
  const read = (): void => {
    sayNothing()
    const given = Object.entries(fields).map(([name, { control }]) => [name, control.value.trim()] as const)
    onFilter(Object.fromEntries(given.filter(([, value]) => value !== "")))
  }
  const form = h(
    "form",
    {
      "aria-label": "Filter",
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault()
        try {
          read()
        } catch (error) {
          sayFailed(Client.problem(error))
        }
      }
    },
    h("div", { class: "fields" }, ...Object.values(fields).map(({ element }) => element)),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: "primary" }, "Apply the filter"),
      button("Clear", () => {
        form.reset()
        read()
      })
    )
  )
  return h("details", { class: "panel" }, h("summary", {}, "Filter"), form)
}
