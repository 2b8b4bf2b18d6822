/** The results of a run as Markdown: machine, command, targets, tables. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { cpus, release, totalmem, type } from "node:os"
import { join } from "node:path"
import * as Rounds from "./Rounds.ts"
import { type Spread } from "./Rounds.ts"
import { isMet, outcomes } from "./Targets.ts"

const digits = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString("en-US") : value >= 100 ? value.toFixed(0) : value.toFixed(2)

export const show = (found: Spread | undefined, unit = ""): string =>
  found === undefined ? "—" : `${digits(found.median)}${unit} (${digits(found.min)}–${digits(found.max)})`

const git = (...args: ReadonlyArray<string>): string => {
  try {
    return execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim()
  } catch {
    return "unknown"
  }
}

const versionOf = (name: string): string => {
  for (const folder of ["node_modules", "../node_modules"]) {
    try {
      const text = readFileSync(join(import.meta.dirname, folder, name, "package.json"), "utf8")
      const manifest: { readonly version: string } = JSON.parse(text)
      return `${name} ${manifest.version}`
    } catch {
      continue
    }
  }
  return `${name} (not installed)`
}

const libraries = [
  "amqplib",
  "rabbitmq-client",
  "amqp-connection-manager",
  "@cloudamqp/amqp-client",
  "@golevelup/nestjs-rabbitmq",
  "rascal",
  "effect",
  "ioredis"
]

export interface About {
  readonly command: string
  readonly rounds: number
  readonly rabbit: string
  readonly minutes: number
  readonly settings: string
}

export const head = ({ command, minutes, rabbit, rounds, settings }: About): string => {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return [
    `- \`${command}\`, ${rounds} rounds, ${minutes.toFixed(1)} minutes, ${new Date().toISOString().slice(0, 16)} UTC, commit ${git("rev-parse", "--short", "HEAD")}`,
    `- ${cpus().length} × ${cpu?.model ?? "?"}, ${memory} GiB, ${type()} ${release()}, Node ${process.versions.node}; RabbitMQ ${rabbit} and Redis on the same machine`,
    `- ${libraries.map(versionOf).join(", ")}`,
    `- ${settings}`
  ].join("\n")
}

export const targets = (rounds: Rounds.Rounds): string => {
  const rows = outcomes(rounds).map((outcome) => {
    const bound = `${outcome.most ? "≤" : "≥"} ${outcome.limit}${outcome.unit}`
    return `| ${outcome.text} | ${bound} | ${show(outcome.found, outcome.unit)} | ${outcome.found === undefined ? "not measured" : isMet(outcome) ? "met" : "**missed**"} |`
  })
  return ["| target | bound | median (min–max) | |", "| --- | --- | --- | --- |", ...rows].join("\n")
}

const timed = (id: string): boolean => id === "start" || id === "import"

export const tables = (rounds: Rounds.Rounds): string =>
  rounds.experiments
    .map(({ entries, id, title }) => {
      const [first] = entries
      const reference = entries.find(({ name }) => name === "raw") ?? first
      const row = (name: string): string => {
        const over = (metric: Rounds.Metric) => show(rounds.over(id, name, metric))
        const ratio = (metric: Rounds.Metric) =>
          show(rounds.ratio([id, name, metric], (round) => rounds.value(id, reference?.name ?? "", metric, round)))
        if (id === "rest") return atRest(over, name)
        return timed(id)
          ? `| ${name} | ${over(Rounds.p50)} | ${id === "start" ? "" : over(({ cpuMicros }) => cpuMicros / 1000)} |`
          : `| ${[
              name,
              over(Rounds.eventsPerSecond),
              ratio(Rounds.eventsPerSecond),
              over(Rounds.cpuPerEvent),
              ratio(Rounds.cpuPerEvent),
              over(Rounds.brokerPerEvent),
              over(Rounds.p50),
              over(Rounds.p99),
              over(Rounds.rss)
            ].join(" | ")} |`
      }
      const headings = timed(id)
        ? ["| | ms | CPU ms |", "| --- | --- | --- |"]
        : id === "rest"
          ? [
              "| | CPU ms/s | RabbitMQ CPU ms/s | wake-ups/s | writes/s | RSS MiB |",
              "| --- | --- | --- | --- | --- | --- |"
            ]
          : [
              `| | events/s | to ${reference?.name ?? ""} | CPU µs/event | to ${reference?.name ?? ""} | RabbitMQ CPU µs/event | p50 ms | p99 ms | RSS MiB |`,
              "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
            ]
      return [`### ${title}`, "", ...headings, ...entries.map(({ name }) => row(name))].join("\n")
    })
    .join("\n\n")

/** An event is a second here. */
const atRest = (over: (metric: Rounds.Metric) => string, name: string): string =>
  `| ${[
    name,
    over(({ cpuMicros, seconds }) => cpuMicros / 1000 / seconds),
    over(({ brokerMicros, seconds }) => brokerMicros / 1000 / seconds),
    over(({ seconds, wakeUps }) => (wakeUps ?? Number.NaN) / seconds),
    over(({ seconds, writes }) => (writes ?? Number.NaN) / seconds),
    over(Rounds.rss)
  ].join(" | ")} |`

/** What is measured of this checkout by what is measured of the one before, each ratio within a round. */
export const comparison = (rounds: Rounds.Rounds): string => {
  const compared = rounds.experiments.filter(({ entries }) => entries.some(({ name }) => name === before))
  const rows = compared.map(({ id, title }) => {
    const ratio = (metric: Rounds.Metric) =>
      show(
        rounds.ratio([id, "ours", metric], (round) => rounds.value(id, before, metric, round)),
        "x"
      )
    const metrics = [
      Rounds.eventsPerSecond,
      Rounds.cpuPerEvent,
      Rounds.brokerPerEvent,
      Rounds.p50,
      Rounds.p99,
      Rounds.rss
    ]
    return `| ${[title, ...metrics.map(ratio)].join(" | ")} |`
  })
  return [
    "| now to before | events/s | CPU | RabbitMQ CPU | p50 | p99 | RSS |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows
  ].join("\n")
}

/** The name of the other checkout among the entries. */
export const before = "before"
