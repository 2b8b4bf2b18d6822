/**
 * Simulates many runs on all processors and reports which promise was broken in which run.
 *
 *   npm run simulate -- --seeds 2000 [--from 1] [--workers 2]
 *   npm run simulate -- --seed 42 --trace      one run again, with its whole trace
 *   npm run simulate -- --controls             planted bugs: each must be found
 */
import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { find, plantedBugs } from "./PlantedBugs.ts"
import { once, type Report } from "./Run.ts"

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    workers: { type: "string" },
    controls: { type: "boolean", default: false },
    bug: { type: "string" },
    /** Which seeds a worker runs: `index/workers`. */
    part: { type: "string" }
  }
})
const number = (text: string): number => {
  const parsed = Number(text)
  if (!Number.isSafeInteger(parsed)) throw new Error(`expected a whole number, not ${text}`)
  return parsed
}

/** The result of one run, as a worker sends it. */
interface Line {
  readonly seed: number
  readonly violations: Report["violations"]
  readonly excerpt: ReadonlyArray<string>
  readonly figures: Report["figures"]
}

/** The lines of the trace about the event of the violation, and what went wrong around it. */
const excerpt = ({ trace, violations }: Report): ReadonlyArray<string> => {
  const [first] = violations
  if (first === undefined) return []
  const about = new RegExp(
    first.n === undefined
      ? "FAULT|killed|drain|cut off|connected|VIOLATED"
      : `#${first.n} |FAULT .* e${first.n}$|VIOLATED`
  )
  const lines = trace.filter((line) => about.test(line))
  return lines.length <= 40 ? lines : [...lines.slice(0, 20), `… ${lines.length - 40} lines …`, ...lines.slice(-20)]
}

const bug = values.bug === undefined ? undefined : plantedBugs.find(({ name }) => name === values.bug)
if (values.bug !== undefined && bug === undefined) throw new Error(`no bug is called ${values.bug}`)
const run = (seed: number): Promise<Report> => once(seed, bug && { bug: bug.bug })

const printFailure = ({ excerpt, seed, violations }: Line): void => {
  console.log(`\nseed ${seed}`)
  for (const { detail, n, promise } of violations.slice(0, 5)) {
    console.log(`  ${promise}: ${n === undefined ? "" : `#${n} `}${detail}`)
  }
  for (const line of excerpt) console.log(`  | ${line}`)
  console.log(`  again: npm run simulate -- --seed ${seed} --trace${bug === undefined ? "" : ` --bug "${bug.name}"`}`)
}

const one = async (seed: number): Promise<void> => {
  const report = await run(seed)
  if (values.trace) for (const line of report.trace) console.log(line)
  console.log(JSON.stringify(report.figures))
  if (report.violations.length === 0) return console.log(`seed ${seed}: every promise was kept`)
  printFailure({ ...report, excerpt: values.trace ? [] : excerpt(report) })
  process.exitCode = 1
}

const worker = async (part: string): Promise<void> => {
  const [first = 0, step = 1] = part.split("/").map(number)
  const from = number(values.from)
  for (let seed = from + first; seed < from + number(values.seeds); seed += step) {
    const report = await run(seed)
    const line: Line = { seed, violations: report.violations, excerpt: excerpt(report), figures: report.figures }
    process.send?.(line)
  }
  process.disconnect()
}

const many = async (): Promise<void> => {
  const workers = values.workers === undefined ? availableParallelism() : number(values.workers)
  const began = performance.now()
  const totals: Record<string, number> = {}
  let runs = 0
  let broken = 0
  const over = Array.from({ length: workers }, (_, index) => {
    const child = fork(import.meta.filename, [...process.argv.slice(2), "--part", `${index}/${workers}`])
    child.on("message", (message) => {
      // Our workers send nothing else.
      const line = message as Line
      runs++
      for (const [name, value] of Object.entries(line.figures)) totals[name] = (totals[name] ?? 0) + value
      if (line.violations.length === 0) return
      broken++
      if (broken <= 20) printFailure(line)
    })
    return new Promise<number>((resolve) => child.on("exit", (code) => resolve(code ?? 1)))
  })
  const codes = await Promise.all(over)
  const minutes = (performance.now() - began) / 60_000
  console.log(
    `\n${runs} seeds in ${(minutes * 60).toFixed(1)} s: ${Math.round(runs / minutes)} a minute on ${workers} processors`
  )
  for (const [name, value] of Object.entries(totals)) console.log(`  ${name}: ${Math.round(value)}`)
  const missing = number(values.seeds) - runs
  if (missing > 0 || codes.some((code) => code !== 0)) console.log(`${missing} runs did not end: ${codes.join(", ")}`)
  console.log(broken === 0 && missing === 0 ? "every promise was kept" : `${broken} seeds broke a promise`)
  if (broken > 0 || missing > 0) process.exitCode = 1
}

const check = async (): Promise<void> => {
  for (const bug of plantedBugs) {
    const found = await find(bug)
    console.log(`${bug.name}: ${found ?? `NOT FOUND in ${bug.within} seeds`}`)
    if (found === undefined) process.exitCode = 1
  }
}

if (values.part !== undefined) await worker(values.part)
else if (values.controls) await check()
else if (values.seed !== undefined) await one(number(values.seed))
else await many()
