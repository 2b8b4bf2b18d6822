/** One subscriber with its processes and its lanes, and what an operator does with it. */
import * as Client from "../Client.ts"
import { say } from "../Dialog.ts"
import { button, fill, h, input, outside } from "../Dom.ts"
import { orders } from "../SubscriberOrders.ts"
import { table } from "../Table.ts"
import { brief, count } from "../Text.ts"
import { ago, repeat } from "../Time.ts"
import { addressOf, type Context, type View } from "../View.ts"
import { type Held, lagOf, statusOf, toneOf, type Whole, wholeOf } from "../Whole.ts"

const everyMillis = 2000

export const subscriber = ({ session }: Context, name: string): View => {
  const problem = h("p", { class: "problem", hidden: true })
  const state = h("p", { class: "lead" })
  const processes = processTable()
  const why = input("Why it is paused", { hint: "Everybody who looks at the subscriber sees it.", name: "reason" })
  const { pause, release, resume } = orders(name, () => reading.again())
  const lanes = laneTable(session.readOnly, (key) => void release(key))
  const disabled = session.readOnly
  const pauseButton = button("Pause in all processes…", () => void pause(why.control.value), { disabled })
  const resumeButton = button("Resume…", () => void resume(), { disabled, hidden: true })
  const releaseButton = button("Release all parked keys…", () => void release(undefined), { disabled })
  const reading = repeat(everyMillis, async () => {
    try {
      const report = await Client.get<Client.Ps>(["ps"])
      const whole = wholeOf(report).find((one) => one.name === name) ?? { name, held: [], pause: undefined }
      problem.hidden = true
      fill(state, ...stateLine(whole))
      processes.update(whole.held)
      lanes.update(lanesOf(whole))
      pauseButton.hidden = whole.pause !== undefined
      resumeButton.hidden = whole.pause === undefined
      why.element.hidden = whole.pause !== undefined
    } catch (error) {
      problem.hidden = false
      fill(problem, Client.problem(error))
    }
  })
  const links = h(
    "p",
    {},
    h("a", { href: addressOf("subscribers") }, "All subscribers"),
    " · ",
    h("a", { href: addressOf("dead-letters", name) }, "Its dead letters")
  )
  return {
    title: brief(name),
    dispose: reading.stop,
    element: h(
      "div",
      {},
      links,
      problem,
      state,
      h(
        "div",
        { class: "panel" },
        why.element,
        h("div", { class: "actions" }, pauseButton, resumeButton, releaseButton)
      ),
      processes.element,
      lanes.element,
      h(
        "p",
        { class: "hint" },
        "Lanes are there with ordering by key: of each process the ten in which most events wait."
      )
    )
  }
}

const stateLine = (whole: Whole): ReadonlyArray<Node | string> => {
  const { held, pause } = whole
  if (pause !== undefined)
    return [
      `Paused for ${ago(pause.since)} by `,
      outside(brief(pause.by === "" ? "nobody says who" : pause.by)),
      ...(pause.reason === "" ? [] : [": ", outside(brief(pause.reason, 500))])
    ]
  if (held.length === 0) return ["No process that runs it shows itself."]
  return [
    `${statusOf(whole).text}; ${count(lagOf(whole))} waiting in its queue. Events: `,
    outside(brief(held[0]?.events.join(", ") ?? "", 500))
  ]
}

const processTable = () =>
  table<Held>({
    caption: "Its processes",
    empty: "No process that runs it shows itself.",
    keyOf: ({ of }) => of.process,
    columns: [
      { name: "Process", text: ({ of }) => `${of.source} ${of.host}:${of.pid}` },
      { name: "State", text: ({ status }) => ({ text: status, tone: toneOf(status) }) },
      { name: "Held", isNumber: true, text: ({ held }) => count(held) },
      { name: "Running", isNumber: true, text: ({ inFlight }) => count(inFlight) },
      { name: "Parked", isNumber: true, text: ({ parked }) => count(parked) },
      { name: "Handled", isNumber: true, text: ({ handled }) => count(handled) },
      { name: "Dead-lettered", isNumber: true, text: ({ deadLettered }) => count(deadLettered) },
      { name: "Restarts", isNumber: true, text: ({ restarts }) => count(restarts) },
      { name: "Oldest event", text: ({ oldest }) => ago(oldest) },
      { name: "Cause", text: ({ cause }) => ({ text: cause ?? "–", most: 300 }) }
    ]
  })

interface Lane {
  readonly process: string
  readonly key: string
  readonly head: string
  readonly attempt: number
  readonly behind: number
}

const lanesOf = ({ held }: Whole): ReadonlyArray<Lane> =>
  held.flatMap(({ lanes = [], of }) => lanes.map((lane) => ({ ...lane, process: of.process })))

const laneTable = (isReadOnly: boolean, release: (key: string) => void) =>
  table<Lane>({
    caption: "Lanes",
    empty: "No lane holds an event.",
    keyOf: ({ key, process }) => `${process} ${key}`,
    columns: [
      { name: "Key", text: ({ key }) => key },
      {
        name: "First event",
        text: ({ head }) => ({ text: head, tone: head === "running" || head === "ready" ? "good" : "warn" })
      },
      { name: "Attempt", isNumber: true, text: ({ attempt }) => count(attempt) },
      { name: "Behind it", isNumber: true, text: ({ behind }) => count(behind) },
      {
        name: "Release",
        made: (latest) =>
          button(
            "Release…",
            () => {
              const { head, key } = latest()
              if (head === "parked") release(key)
              else say("This key is not parked: there is nothing to release.")
            },
            { "aria-label": `Release the key ${brief(latest().key)}`, disabled: isReadOnly }
          )
      }
    ]
  })
