/** How the fleet is, read every two seconds. */
import { chart } from "../Chart.ts"
import * as Client from "../Client.ts"
import { fill, h, outside } from "../Dom.ts"
import { Rates } from "../Rates.ts"
import { table } from "../Table.ts"
import { brief, count, rate } from "../Text.ts"
import { ago, repeat } from "../Time.ts"
import { addressOf, type View } from "../View.ts"

const everyMillis = 2000
/** Counting looks at each queue of dead letters. */
const countEveryMillis = 10_000

const figures = {
  throughput: "Handled a second",
  lag: "Waiting in queues",
  inFlight: "In handlers",
  publishing: "Publishes in flight",
  blocked: "Connections blocked",
  parked: "Parked events",
  restarts: "Restarts",
  letters: "Dead letters"
} as const

type Figure = keyof typeof figures

export const overview = (): View => {
  const rates = new Rates()
  const line = chart("Events handled a second")
  const cells = Object.fromEntries(
    Object.entries(figures).map(([name, label]) => [name, { label, value: h("dd", {}, "…") }])
  )
  const set = (name: Figure, text: string, isBad = false): void => {
    const value = cells[name]?.value
    if (value === undefined) return
    if (value.textContent !== text) fill(value, text)
    value.classList.toggle("bad", isBad)
  }
  const processes = table<Client.Process>({
    caption: "Processes",
    empty: "No process shows itself.",
    keyOf: ({ process }) => process,
    columns: [
      { name: "Service", text: ({ source }) => source },
      { name: "Process", text: ({ host, pid }) => `${host}:${pid}` },
      { name: "Connection", text: connectionOf },
      {
        name: "Publishes",
        isNumber: true,
        text: ({ connection }) => (connection === undefined ? "?" : count(connection.inFlight + connection.waiting))
      },
      { name: "Subscribers", isNumber: true, text: ({ subscribers }) => count(subscribers.length) },
      { name: "Running for", text: ({ startedAt }) => ago(startedAt) },
      { name: "Version", text: ({ library }) => ({ text: library, tone: "dim" }) }
    ]
  })
  const notices = h("div", {})
  const problem = h("p", { class: "problem", hidden: true })

  const fleet = repeat(everyMillis, async () => {
    try {
      const report = await Client.get<Client.Ps>(["ps"])
      problem.hidden = true
      rates.add(report)
      const handled = rates.of()
      if (handled !== undefined) line.add(handled)
      set("throughput", handled === undefined ? "…" : rate(handled))
      showFleet(report, set)
      processes.update(report.processes)
      fill(notices, ...noticesOf(report))
    } catch (error) {
      problem.hidden = false
      fill(problem, Client.problem(error))
    }
  })
  const letters = repeat(countEveryMillis, async () => {
    try {
      const { sources } = await Client.get<Client.Sources>(["dead-letters"])
      const all = sources.reduce((sum, { letters }) => sum + (letters ?? 0), 0)
      set("letters", count(all), all > 0)
    } catch {
      set("letters", "?")
    }
  })
  return {
    title: "Overview",
    dispose: () => {
      fleet.stop()
      letters.stop()
    },
    element: h(
      "div",
      {},
      problem,
      h(
        "dl",
        { class: "figures" },
        ...Object.values(cells).map(({ label, value }) => h("div", {}, h("dt", {}, label), value))
      ),
      line.element,
      notices,
      processes.element
    )
  }
}

const showFleet = ({ processes }: Client.Ps, set: (name: Figure, text: string, isBad?: boolean) => void): void => {
  const subscribers = processes.flatMap(({ subscribers }) => subscribers)
  const sum = (of: (one: (typeof subscribers)[number]) => number): number =>
    subscribers.reduce((total, one) => total + of(one), 0)
  // All processes of a subscriber share its queue.
  const queues = new Map<string, number | null>()
  for (const { lag, name } of subscribers) queues.set(name, Math.max(queues.get(name) ?? 0, lag ?? 0))
  const lag = [...queues.values()].reduce<number>((total, one) => total + (one ?? 0), 0)
  const blocked = processes.filter(({ connection }) => connection?.status === "Blocked").length
  const restarts = sum(({ restarts }) => restarts)
  const publishing = processes.reduce((total, { connection }) => total + (connection?.inFlight ?? 0), 0)
  set("lag", count(lag))
  set("inFlight", count(sum(({ inFlight }) => inFlight)))
  set("publishing", count(publishing))
  set("blocked", count(blocked), blocked > 0)
  set("parked", count(sum(({ parked }) => parked)))
  set("restarts", count(restarts), restarts > 0)
}

const connectionOf = ({ connection }: Client.Process) =>
  connection === undefined
    ? { text: "not known", tone: "dim" as const }
    : { text: connection.status, tone: connection.status === "Up" ? ("good" as const) : ("bad" as const) }

const noticesOf = ({ disagreements, paused, unreadable }: Client.Ps): ReadonlyArray<HTMLElement> => [
  ...disagreements.map(({ event, kind, processes, version }) =>
    h(
      "p",
      { class: "problem" },
      outside(brief(event)),
      kind === "data"
        ? ` version ${version} is not the same data in all processes: `
        : ` version ${version} is published, and subscribers do not know it: `,
      outside(
        brief(
          processes.map(({ host, pid, source, version }) => `${source} ${host}:${pid} (${version})`).join(", "),
          500
        )
      )
    )
  ),
  ...paused.map(({ by, reason, since, subscriber }) =>
    h(
      "p",
      { class: "notice" },
      h("a", { href: addressOf("subscribers", subscriber) }, outside(brief(subscriber))),
      " is paused for ",
      ago(since),
      " by ",
      outside(brief(by === "" ? "nobody says who" : by)),
      reason !== "" && ": ",
      reason !== "" && outside(brief(reason, 500))
    )
  ),
  ...(unreadable === 0
    ? []
    : [
        h(
          "p",
          { class: "notice" },
          `${count(unreadable)} records of processes cannot be read: another version wrote them.`
        )
      ])
]
