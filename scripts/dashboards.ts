/**
 * Writes Grafana's dashboards and Prometheus' alert rules from the definitions of the metrics:
 * `npm run dashboards`, with `-- --runbook https://…` for links to where the runbook is published.
 * A test fails when what is committed is not what this makes.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { brokerBoard } from "./dashboards/BrokerBoard.ts"
import { deadLetterBoard } from "./dashboards/DeadLetterBoard.ts"
import { overview } from "./dashboards/Overview.ts"
import { type Board, dashboardOf } from "./dashboards/Panel.ts"
import { publisherBoard } from "./dashboards/PublisherBoard.ts"
import { inYaml, type RuleOptions, rules } from "./dashboards/Rules.ts"
import { subscriberBoard } from "./dashboards/SubscriberBoard.ts"

export const boards: ReadonlyArray<Board> = [overview, subscriberBoard, publisherBoard, deadLetterBoard, brokerBoard]

export const rulesFile = "docker/prometheus/rules.yaml"
export const boardFile = ({ uid }: Board): string => `docker/grafana/dashboards/${uid}.json`

const note = "# Made by `npm run dashboards` from src/observe/Metrics.ts: change that, or scripts/dashboards.\n"

/** What is committed, by its path. */
export const files = (options: RuleOptions = {}): ReadonlyMap<string, string> =>
  new Map([
    [rulesFile, note + inYaml(rules(options))],
    ...boards.map((board) => [boardFile(board), `${JSON.stringify(dashboardOf(board), null, 2)}\n`] as const)
  ])

if (import.meta.main) {
  const { runbook } = parseArgs({ options: { runbook: { type: "string" } } }).values
  const root = resolve(import.meta.dirname, "..")
  for (const [path, text] of files({ ...(runbook !== undefined && { runbook }) })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}
