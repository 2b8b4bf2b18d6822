/** The topology and the doctor: both look at the system when they are opened, and again when they are asked. */
import * as Client from "../Client.ts"
import { button, fill, h, outside } from "../Dom.ts"
import { table } from "../Table.ts"
import { brief, count, plural } from "../Text.ts"
import type { View } from "../View.ts"

/** Looks, and shows what was found. */
const looking = <A>(title: string, read: () => Promise<A>, show: (found: A) => ReadonlyArray<HTMLElement>): View => {
  const found = h("div", { role: "region", "aria-label": title, "aria-live": "polite" })
  const look = async (): Promise<void> => {
    again.disabled = true
    fill(found, h("p", { class: "lead" }, "Looking …"))
    try {
      fill(found, ...show(await read()))
    } catch (error) {
      fill(found, h("p", { class: "problem" }, Client.problem(error)))
    }
    again.disabled = false
  }
  const again = button("Look again", () => void look())
  void look()
  return { title, element: h("div", {}, h("div", { class: "actions" }, again), found), dispose: () => {} }
}

const unseenOf = (unseen: ReadonlyArray<string>): ReadonlyArray<HTMLElement> =>
  unseen.length === 0
    ? []
    : [h("h2", {}, "Not seen"), h("ul", {}, ...unseen.map((text) => h("li", {}, outside(brief(text, 1000)))))]

export const doctor = (): View =>
  looking(
    "Doctor",
    () => Client.get<Client.Doctor>(["doctor"]),
    ({ facts, findings, healthy, unseen }) => [
      h(
        "p",
        { class: "lead" },
        h(
          "span",
          { class: `tone ${healthy ? "good" : "bad"}` },
          healthy ? "Nothing found" : plural(findings.length, "finding")
        )
      ),
      ...findings.map(({ check, mend, seen, severity }) =>
        h(
          "article",
          { class: "panel" },
          h(
            "h2",
            {},
            h("span", { class: `tone ${severity === "error" ? "bad" : "warn"}` }, severity),
            " ",
            outside(brief(check))
          ),
          h("p", {}, outside(brief(seen, 2000))),
          h("p", { class: "mend" }, outside(brief(mend, 2000)))
        )
      ),
      h("h2", {}, "Seen, and well"),
      h("ul", {}, ...facts.map((text) => h("li", {}, outside(brief(text, 1000))))),
      ...unseenOf(unseen)
    ]
  )

type Difference = Client.Topology["differences"][number]

const kinds: Readonly<Record<Difference["kind"], string>> = {
  missing: "missing",
  different: "different",
  unbound: "not bound",
  "orphaned-queue": "nobody's queue",
  "orphaned-binding": "nobody's binding"
}

export const topology = (): View =>
  looking(
    "Topology",
    () => Client.get<Client.Topology>(["topology"]),
    ({ cost, differences, namespace, unseen }) => {
      const found = table<Difference>({
        caption: "Differences",
        empty: "RabbitMQ is as the known subscribers say.",
        keyOf: ({ entity, kind, seen }) => `${kind} ${entity} ${seen}`,
        columns: [
          { name: "Entity", text: ({ entity }) => ({ text: entity, most: 300 }) },
          { name: "Difference", text: ({ kind }) => ({ text: kinds[kind], tone: "warn" }) },
          { name: "Seen", text: ({ seen }) => ({ text: seen, most: 500 }) },
          { name: "What mends it", text: ({ mend }) => ({ text: mend, most: 500 }) }
        ]
      })
      found.update(differences)
      const number = (name: string, value: number | null): ReadonlyArray<HTMLElement> =>
        value === null ? [] : [h("dt", {}, name), h("dd", {}, count(value))]
      return [
        h("p", { class: "lead" }, "Namespace ", outside(brief(namespace))),
        found.element,
        h("h2", {}, "What the namespace takes"),
        h(
          "dl",
          { class: "facts" },
          ...number("Quorum queues", cost.quorumQueues),
          ...number("Of these missing", cost.missingQueues),
          ...number("More when delays need them", cost.ladderQueues),
          ...number("Exchanges", cost.exchanges),
          ...number("Bindings", cost.bindings),
          ...number("File handles on each node with these queues", cost.handles),
          ...number("Files that a node may have open", cost.nodeHandles),
          ...number("Quorum queues of the virtual host", cost.hostQuorumQueues)
        ),
        ...unseenOf(unseen)
      ]
    }
  )
