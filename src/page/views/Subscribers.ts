/** The subscribers of all processes. */
import * as Client from "../Client.ts"
import { fill, h } from "../Dom.ts"
import { Rates } from "../Rates.ts"
import { table } from "../Table.ts"
import { count, rate } from "../Text.ts"
import { repeat } from "../Time.ts"
import { addressOf, type Context, type View } from "../View.ts"
import { lagOf, statusOf, sum, type Whole, wholeOf } from "../Whole.ts"
import { subscriber } from "./Subscriber.ts"

const everyMillis = 2000

export const subscribers = (context: Context): View =>
  context.path[0] === undefined ? all() : subscriber(context, context.path[0])

const all = (): View => {
  const rates = new Rates()
  const problem = h("p", { class: "problem", hidden: true })
  const list = table<Whole>({
    caption: "Subscribers",
    empty: "No process with a subscriber shows itself.",
    keyOf: ({ name }) => name,
    columns: [
      { name: "Name", text: ({ name }) => ({ text: name, href: addressOf("subscribers", name) }) },
      { name: "State", text: statusOf },
      { name: "Processes", isNumber: true, text: ({ held }) => count(held.length) },
      { name: "Waiting", isNumber: true, text: (whole) => count(lagOf(whole)) },
      { name: "Running", isNumber: true, text: (whole) => count(sum(whole, ({ inFlight }) => inFlight)) },
      { name: "Parked", isNumber: true, text: (whole) => count(sum(whole, ({ parked }) => parked)) },
      {
        name: "Handled a second",
        isNumber: true,
        text: ({ name }) => {
          const found = rates.of(name)
          return found === undefined ? "…" : rate(found)
        }
      },
      { name: "Dead-lettered", isNumber: true, text: (whole) => count(sum(whole, ({ deadLettered }) => deadLettered)) },
      { name: "Restarts", isNumber: true, text: (whole) => count(sum(whole, ({ restarts }) => restarts)) }
    ]
  })
  const reading = repeat(everyMillis, async () => {
    try {
      const report = await Client.get<Client.Ps>(["ps"])
      rates.add(report)
      list.update(wholeOf(report))
      problem.hidden = true
    } catch (error) {
      problem.hidden = false
      fill(problem, Client.problem(error))
    }
  })
  return { title: "Subscribers", element: h("div", {}, problem, list.element), dispose: reading.stop }
}
