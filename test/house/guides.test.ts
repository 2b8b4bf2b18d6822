/** What guides say in numbers and names is what the source has: limits, metrics, and the examples for Kubernetes. */
import { assert, describe, it } from "@effect/vitest"
import { parse, parseAllDocuments } from "yaml"
import { subscriberQueue } from "../../src/amqp/topology/Topology.ts"
import { paths } from "../../src/app/http/Paths.ts"
import { prometheusLabel, prometheusName } from "../../src/observe/MetricDefinition.ts"
import * as Metrics from "../../src/observe/Metrics.ts"
import { glob, read } from "./Sources.ts"

const units: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, minutes: 60_000, hours: 3_600_000 }

/** "25 minutes" as a number: of bytes or milliseconds where it has such a unit. */
const amount = (text: string): number => {
  const [, digits = "", unit = ""] = /^([\d,]+)(?: (\w+))?/.exec(text) ?? []
  return Number(digits.replaceAll(",", "")) * (units[unit] ?? 1)
}

/** A product of powers less a number, such as `2 ** 20 - 1`: no constant is written in another way. */
const computed = (sum: string): number => {
  const product = (text: string) =>
    text
      .split(/(?<!\*) \* /)
      .map((factor) => factor.split(" ** ").map(Number))
      .reduce((result, [base = 0, power = 1]) => result * base ** power, 1)
  const [first = "", ...others] = sum.replaceAll("_", "").split(" - ")
  return others.reduce((result, other) => result - product(other), product(first))
}

/** The value of a constant, property or default of this name. */
const constant = (file: string, name: string): number | undefined => {
  const [, sum] = new RegExp(`\\b${name} ?(?:=|:|\\?\\?) (\\d[\\d_ *-]*\\d|\\d)`).exec(read(file)) ?? []
  return sum === undefined ? undefined : computed(sum)
}

describe("the limits of the guide", () => {
  it("are those of the source", () => {
    const rows = read("docs/guides/limits.md")
      .split("\n")
      .filter((line) => line.includes("` in `src/"))
    assert.isAbove(rows.length, 35)
    const wrong = rows.filter((row) => {
      const [, , limit = ""] = row.split(/ ?\| ?/)
      const [, name = "", file = ""] = /`(\w+)` in `([^`]+)`/.exec(row) ?? []
      return constant(file, name) !== amount(limit)
    })
    assert.deepStrictEqual(wrong, [])
  })
})

const exported = new Set(Metrics.all.map(prometheusName))
const histograms = Metrics.all.filter(({ kind }) => kind === "histogram").map(prometheusName)
for (const name of histograms) for (const part of ["_bucket", "_count", "_sum"]) exported.add(name + part)
const labels = new Set(Metrics.all.flatMap(({ attributes }) => attributes).map(prometheusLabel))

/** Names that look like a metric or label of the bus and are none. The first two are tables, the third a lock. */
const strangers = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\beventbus_[a-z_]+/g)]
    .map(([name]) => name)
    .filter((name) => !exported.has(name) && !labels.has(name) && !/^eventbus_(?:outbox|inbox)/.test(name))

describe("a metric", () => {
  it("that a guide names is exported", () => {
    assert.deepStrictEqual(strangers("sum(eventbus_subscriber_lags{eventbus_subscriber='a'})"), [
      "eventbus_subscriber_lags"
    ])
    const pages = [...glob("docs/guides/*.md"), "docs/runbook.md", "README.md"]
    assert.deepStrictEqual(
      pages.flatMap((page) => strangers(read(page)).map((name) => `${page}: ${name}`)),
      []
    )
  })
})

interface Scaled {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly stringData?: Readonly<Record<string, string>>
  readonly spec: {
    readonly scaleTargetRef: { readonly name: string }
    readonly minReplicaCount: number
    readonly secretTargetRef: ReadonlyArray<{ readonly name: string; readonly key: string; readonly parameter: string }>
    readonly triggers: ReadonlyArray<{
      readonly type: string
      readonly metadata: Readonly<Record<string, string>>
      readonly authenticationRef?: { readonly name: string }
    }>
  }
}

describe("the example for KEDA", () => {
  const documents = parseAllDocuments(read("docker/kubernetes/keda.yaml"), { strict: true, uniqueKeys: true })
  const all = documents.map((document) => document.toJS() as Scaled)
  const scalers = all.filter(({ kind }) => kind === "ScaledObject")
  const triggers = scalers.flatMap(({ spec }) => spec.triggers)

  it("is YAML, and scales the deployment of the service", () => {
    assert.deepStrictEqual(
      documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
      []
    )
    const deployments = parseAllDocuments(read("docker/kubernetes/service.yaml"))
      .map((document) => document.toJS() as Scaled)
      .filter(({ kind }) => kind === "Deployment")
    for (const { spec } of scalers) assert.strictEqual(spec.scaleTargetRef.name, deployments[0]?.metadata.name)
    assert.deepStrictEqual(
      triggers.map(({ type }) => type),
      ["prometheus", "rabbitmq"]
    )
  })

  it("asks for metrics that the library exports, and keeps one process that exports them", () => {
    const [byMetric] = scalers
    const query = byMetric?.spec.triggers[0]?.metadata["query"] ?? ""
    assert.include(query, prometheusName(Metrics.lag))
    assert.include(query, prometheusName(Metrics.held))
    assert.deepStrictEqual(strangers(query), [])
    assert.isAtLeast(byMetric?.spec.minReplicaCount ?? 0, 1)
  })

  it("looks at the queue that the library declares, with a secret that is there", () => {
    const [, byQueue] = triggers
    const subscriber = /eventbus_subscriber="([^"]+)"/.exec(triggers[0]?.metadata["query"] ?? "")?.[1] ?? ""
    assert.strictEqual(byQueue?.metadata["queueName"], subscriberQueue("eduflow", subscriber))
    const found = all.find(({ kind }) => kind === "TriggerAuthentication")
    assert.strictEqual(byQueue?.authenticationRef?.name, found?.metadata.name)
    for (const { key, name } of found?.spec.secretTargetRef ?? []) {
      const secret = all.find(({ kind, metadata }) => kind === "Secret" && metadata.name === name)
      assert.property(secret?.stringData, key)
    }
  })
})

describe("the guide of Kubernetes", () => {
  const guide = read("docs/guides/kubernetes.md")
  const blocks = [...guide.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, code = ""]) => code)
  const files = ["service.yaml", "keda.yaml"].map((file) => read(`docker/kubernetes/${file}`))
  const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => !/^\s*(?:#|$)/.test(line))

  it("shows what stands in the files", () => {
    assert.lengthOf(blocks, 3)
    const known = files.map((file) => lines(file).join("\n"))
    const gone = blocks.filter((block) => !known.some((file) => file.includes(lines(block).join("\n"))))
    assert.deepStrictEqual(gone, [])
    for (const block of blocks) assert.isObject(parse(block))
  })

  it("names endpoints that are served", () => {
    const named = [...new Set([...guide.matchAll(/\/(?:health|metrics)[\w/]*/g)].map(([path]) => path))]
    assert.deepStrictEqual(
      named.filter((path) => !paths.has(path)),
      []
    )
    assert.isAbove(named.length, 2)
  })
})
