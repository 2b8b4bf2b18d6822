/**
 * Measures the library against its peers and its own targets, and writes the results to RESULTS.md, GROWTH.md and
 * pictures. README.md has the options.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Growth from "./Growth.ts"
import * as Lab from "./Lab.ts"
import * as Plan from "./Plan.ts"
import * as Plot from "./Plot.ts"
import * as Report from "./Report.ts"
import * as Revision from "./Revision.ts"
import * as Rounds from "./Rounds.ts"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
    rabbit: { type: "string" },
    growth: { type: "boolean", default: false },
    soak: { type: "boolean", default: false },
    rounds: { type: "string" },
    only: { type: "string", multiple: true },
    entries: { type: "string", multiple: true },
    compare: { type: "string" },
    warm: { type: "string" },
    count: { type: "string" },
    json: { type: "boolean", default: false }
  }
})

const here = import.meta.dirname
const print = (line: string): void => console.error(line)
const began = performance.now()
const minutes = (): number => (performance.now() - began) / 60_000
const command = ["npm run bench", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(" ")
const rounds = Number(values.rounds ?? (values.quick ? 2 : values.all ? 5 : 3))
const breadth: Plan.Breadth = values.all || values.entries !== undefined ? "all" : "targets"
// Where the brokers of the tests come from is asked there.
if (values.rabbit !== undefined) process.env["EVENTBUS_TEST_RABBITMQ"] = values.rabbit
const sizes = values.quick ? Plan.quick : Plan.whole
const size = { ...sizes, warm: Number(values.warm ?? sizes.warm), count: Number(values.count ?? sizes.count) }
const compared = values.compare === undefined ? undefined : Revision.checkOut(values.compare)
const entries = values.entries ?? (compared === undefined ? undefined : ["raw", "ours", Report.before])
const lab = await Lab.open()
try {
  const about = async (settings: string, count: number): Promise<Report.About> => ({
    command,
    rounds: count,
    rabbit: await lab.version(),
    minutes: minutes(),
    settings
  })
  if (values.growth || values.soak) {
    const text = values.growth
      ? await Growth.run(lab, values.quick, print)
      : await Growth.soak(lab, values.quick, print)
    const name = values.growth ? "GROWTH" : "SOAK"
    const settings = "each point is the median of its runs; cost is client CPU per delivered event"
    writeFileSync(
      join(here, `${name}.md`),
      `${text.title}\n\n${Report.head(await about(settings, text.rounds))}\n\n${text.body}\n`
    )
    for (const [file, picture] of text.pictures) writeFileSync(join(here, file), picture)
  } else {
    await Plan.prepare(lab, compared === undefined && (values.only === undefined || values.only.includes("start")))
    const chosen = Plan.plan(lab, size, breadth, compared?.folder)
      .filter(({ id, isRare }) => values.only?.includes(id) ?? isRare !== true)
      .map((experiment) => ({
        ...experiment,
        entries: experiment.entries.filter(({ name }) => entries === undefined || entries.includes(name))
      }))
      // What only one of the two checkouts runs compares nothing.
      .filter((one) => compared === undefined || one.entries.some(({ name }) => name === Report.before))
    const found = await Rounds.run(chosen, rounds, print)
    const whole = values.all && values.only === undefined && entries === undefined
    const settings = `${size.warm.toLocaleString("en-US")} events to warm up and ${size.count.toLocaleString("en-US")} measured, twice as many of both to publish; an eighth of it for rascal; other processes used ${Report.show(found.otherCores)} cores while it ran`
    const text = [
      "# Results",
      "",
      "Written by the run itself. Numbers are the median over the rounds, with minimum and maximum; each ratio is taken within a round.",
      "",
      Report.head(await about(settings, rounds)),
      "",
      ...(compared === undefined
        ? ["## Targets", "", Report.targets(found)]
        : [`## Compared with ${compared.commit}`, "", Report.comparison(found)]),
      "",
      "## Measured",
      "",
      Report.tables(found),
      ...(found.failures.length > 0
        ? ["", "## Runs that failed", "", ...found.failures.map((failure) => `- ${failure}`)]
        : []),
      ""
    ].join("\n")
    // Only a whole run replaces the results.
    if (whole && !values.quick) {
      writeFileSync(join(here, "RESULTS.md"), text)
      writeFileSync(join(here, "results.svg"), Plot.picture(found))
    } else if (!values.json) console.log(text)
    if (values.json) {
      const flat = chosen.flatMap(({ entries, id }) =>
        entries.map(({ name }) => ({ experiment: id, entry: name, reports: found.reports(id, name) }))
      )
      console.log(JSON.stringify({ results: flat, failures: found.failures }))
    }
    if (found.failures.length > 0) process.exitCode = 1
  }
} finally {
  await lab.close()
  compared?.remove()
}
