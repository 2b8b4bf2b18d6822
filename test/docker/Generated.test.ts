/** The committed dashboards and rules are the generated ones, and a query names only metrics that exist. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { everywhere } from "../../scripts/dashboards/Boards.ts"
import { boards, files } from "../../scripts/dashboards.ts"
import * as definitions from "../../scripts/definitions.ts"
import { by, query } from "../../scripts/dashboards/Query.ts"
import * as Metrics from "../../src/observe/Metrics.ts"

const root = join(import.meta.dirname, "../..")

describe("dashboards and rules", () => {
  it("are as `npm run dashboards` writes them", () => {
    for (const [path, text] of files()) assert.strictEqual(readFileSync(join(root, path), "utf8"), text, path)
  })

  it("every metric of the library is on a dashboard", () => {
    const shown = boards
      .flatMap(({ rows }) => rows.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets)))
      .flatMap(({ query }) => query.selectors)
    const absent = Metrics.all.filter((metric) => {
      const [selector] = [everywhere(metric, {}, metric.kind === "histogram" ? "_count" : "").selector]
      const name = selector.replace(/_count$/, "")
      return !shown.some((one) => one.startsWith(name))
    })
    assert.deepStrictEqual(
      absent.map(({ name }) => name),
      []
    )
  })

  it("a query of a metric that does not exist is refused", () => {
    assert.strictEqual(
      query`sum ${by("eventbus.subscriber")} (rate(${everywhere(Metrics.outcomes, { "eventbus.outcome": "handled" })}[5m])) > ${3}`
        .expr,
      'sum by (eventbus_subscriber) (rate(eventbus_subscriber_outcomes_total{eventbus_outcome="handled"}[5m])) > 3'
    )
    assert.throws(() => query`sum(eventbus_subscriber_lag)`, "not a word of PromQL")
    assert.throws(() => query`${everywhere(Metrics.lag)}{job="a"}`, "handwritten")
    assert.throws(() => everywhere(Metrics.lag, { "eventbus.outcome": "handled" }), "has no eventbus.outcome")
    assert.throws(() => query`sum ${by("eventbus.event")} (${everywhere(Metrics.lag)})`, "has no eventbus_event")
    assert.throws(() => everywhere(Metrics.sendDuration), "is a histogram")
    assert.throws(() => everywhere(Metrics.lag, {}, "_bucket"), "is not a histogram")
  })
})

describe("the definitions of RabbitMQ", () => {
  it("declare what the library declares, as `node scripts/definitions.ts` writes them", () => {
    assert.strictEqual(readFileSync(join(root, "docker/rabbitmq/definitions.json"), "utf8"), definitions.text())
  })
})
