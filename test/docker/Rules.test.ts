/** Each committed alert in promtool: it fires for its failure, not too early, and not for a healthy system. */
import { assert, beforeAll, it } from "@effect/vitest"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { stringify } from "yaml"
import { rulesFile } from "../../scripts/dashboards.ts"
import { alerts } from "../../scripts/dashboards/Rules.ts"
import { describeLive } from "../support/live.ts"
import { promtool } from "../support/Prometheus.ts"
import { cases, type Series } from "./cases.ts"

const root = join(import.meta.dirname, "../..")
const rules = join(root, rulesFile)

const promtoolCase = (
  name: string,
  series: Series,
  looks: ReadonlyArray<readonly [minute: number, fires: boolean]>
) => ({
  interval: "1m",
  input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
  promql_expr_test: looks.map(([minute, fires]) => ({
    expr: `count(ALERTS{alertname="${name}", alertstate="firing"})`,
    eval_time: `${minute}m`,
    exp_samples: fires ? [{ labels: "{}", value: 1 }] : []
  }))
})

/** Runs promtool on these cases. */
const test = async (tests: ReadonlyArray<object>, every = "1m"): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "eventbus-promtool-"))
  try {
    writeFileSync(join(folder, "tests.yaml"), stringify({ rule_files: [rules], evaluation_interval: every, tests }))
    return await promtool("test", "rules", join(folder, "tests.yaml"))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describeLive(
  "alert rules",
  () => {
    let checked: string
    beforeAll(async () => {
      checked = await promtool("check", "rules", rules)
    })

    it("are valid to promtool", () => {
      assert.include(checked, `SUCCESS: ${alerts.length} rules found`)
    })

    it("fire for their failures, in time, and stay silent for a healthy system", async () => {
      const tests = (some: typeof alerts) =>
        some.flatMap(({ name }) => {
          const { after, early, well, wrong } = cases[name]!
          return [
            promtoolCase(name, wrong, [...(early === undefined ? [] : [[early, false] as const]), [after, true]]),
            promtoolCase(
              name,
              well,
              [0.25, 0.5, 0.75, 1].map((share) => [Math.round(after * share), false] as const)
            )
          ]
        })
      assert.sameMembers(
        Object.keys(cases),
        alerts.map(({ name }) => name)
      )
      await test(tests(alerts.filter(({ lasting }) => lasting !== "1 day")))
      await test(tests(alerts.filter(({ lasting }) => lasting === "1 day")), "30m")
    })

    it("a wrong rule is found", async () => {
      const failed = cases["EventBusSubscriberFailed"]!
      const never = promtoolCase("EventBusSubscriberFailed", failed.well, [[failed.after, true]])
      const error = await test([never]).then(
        () => "",
        (error: unknown) => String(error)
      )
      assert.include(error, "FAILED")
    })

    it("each have a section in the runbook, and link to it", () => {
      const runbook = readFileSync(join(root, "docs/runbook.md"), "utf8")
      const sections = [
        ...runbook.matchAll(/^### (\w+)\n\n_(Critical|Warning)\._ \*\*Means:\*\* [^]*?(?=^##|(?![^]))/gm)
      ]
      assert.deepStrictEqual(
        sections.map(([, name, severity]) => `${name} ${severity?.toLowerCase()}`).toSorted(),
        alerts.map(({ name, severity }) => `${name} ${severity}`).toSorted()
      )
      for (const [text, name] of sections) assert.include(text, "**Do:**", name)
      const anchors = new Set(sections.map(([, name = ""]) => `#${name.toLowerCase()}`))
      const links = [
        ...runbook.matchAll(/\]\((#[^)]*)\)/g),
        ...readFileSync(rules, "utf8").matchAll(/docs\/runbook\.md(#\w+)/g)
      ]
      assert.isAtLeast(links.length, alerts.length)
      assert.deepStrictEqual(
        links.map(([, anchor = ""]) => anchor).filter((anchor) => !anchors.has(anchor)),
        []
      )
    })
  },
  ["monitors"]
)
