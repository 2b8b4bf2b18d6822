/**
 * The files of docker/ against their schemas, and beyond them: they fit together, name only settings that exist, and
 * give a service the time that it needs.
 */
import { assert, describe, it } from "@effect/vitest"
import { Ajv, type AnySchemaObject, type ValidateFunction } from "ajv"
import { Ajv2019 } from "ajv/dist/2019.js"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parseAllDocuments } from "yaml"
import { boards } from "../../scripts/dashboards.ts"
import { dashboardOf } from "../../scripts/dashboards/Panel.ts"
import { settings } from "../../src/app/Config.ts"
import { describeLive } from "../support/live.ts"
import { promtool } from "../support/Prometheus.ts"
import { composed, docker, read, yaml } from "./files.ts"

/** Without `id`, as older drafts wrote `$id`; nothing refers to them. */
const modern = (schema: unknown): unknown =>
  Array.isArray(schema)
    ? schema.map(modern)
    : typeof schema === "object" && schema !== null
      ? Object.fromEntries(
          Object.entries(schema)
            .filter(([key, value]) => !(key === "id" && typeof value === "string") && key !== "$schema")
            .map(([key, value]) => [key, modern(value)])
        )
      : schema

const formats = {
  duration: /^(?:\d+(?:\.\d+)?(?:us|ms|s|m|h))+$/,
  ports: /^(?:[\d.]+:)?(?:\d+:)?\d+(?:\/(?:tcp|udp))?$/,
  expose: /^\d+(?:-\d+)?(?:\/[a-z]+)?$/,
  subnet_ip_address: true as const,
  uri: (text: string) => URL.canParse(text)
}

const validator = (name: string): ValidateFunction => {
  // A schema is an object.
  const schema = modern(JSON.parse(readFileSync(join(import.meta.dirname, "schemas", name), "utf8"))) as AnySchemaObject
  const options = { allErrors: true, strict: false, formats }
  return (name === "compose-spec.json" ? new Ajv2019(options) : new Ajv(options)).compile(schema)
}

const faults = (validate: ValidateFunction, value: unknown): ReadonlyArray<string> => {
  validate(value)
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

/** A copy with one change. */
const changed = (value: unknown, path: ReadonlyArray<string>, to: unknown): unknown => {
  const [key, ...rest] = path
  if (key === undefined) return to
  const copy = structuredClone(value) as Record<string, unknown>
  return { ...copy, [key]: changed(copy[key] ?? {}, rest, to) }
}

const seconds = (text: string): number => Number(/^(\d+)\s?s(?:econds)?$/.exec(text)?.[1])
const known = new Set<string>(Object.values(settings).map(({ name }) => name))
const standard =
  /^OPERATIONS_TOKEN$|^OTEL_(?:EXPORTER_OTLP_ENDPOINT|(?:METRICS|TRACES|LOGS)_EXPORTER|TRACES_SAMPLER(?:_ARG)?)$/
const unknown = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.filter((name) => !known.has(name) && !standard.test(name))

/** Each file, its schema, and a change that the schema must refuse. */
const files: ReadonlyArray<readonly [path: string, schema: string, wrong: ReadonlyArray<readonly [string, unknown]>]> =
  [
    [
      "compose.yaml",
      "compose-spec.json",
      [
        ["services.demo.depends_on.redis.condition", "service_well"],
        ["services.demo.healthchek", {}],
        ["services.redis.ports", "6379"]
      ]
    ],
    [
      "otel/collector.yaml",
      "collector.json",
      [
        ["receivers.otlp.protocol", {}],
        ["processors.batch.timeout", "soon"],
        ["service.pipelines.trace", { receivers: ["otlp"], exporters: ["debug"] }]
      ]
    ],
    ["grafana/provisioning/datasources/datasources.yaml", "grafana-datasources.json", [["apiVersion", 2]]],
    ["grafana/provisioning/dashboards/eventbus.yaml", "grafana-dashboards.json", [["providers", []]]]
  ]

describe("docker/", () => {
  for (const [path, schema, wrong] of files)
    it(`${path} is valid by its schema, which refuses a wrong copy`, () => {
      const [validate, value] = [validator(schema), yaml(path)]
      assert.deepStrictEqual(faults(validate, value), [])
      for (const [where, to] of wrong)
        assert.isNotEmpty(faults(validate, changed(value, where.split("."), to)), `${where}: ${JSON.stringify(to)}`)
    })

  const { services, volumes } = composed()
  const each = Object.entries(services)

  it("every image has a version, and every port is bound to this machine", () => {
    for (const [name, { build, image, ports = [] }] of each) {
      if (build === undefined) assert.match(image ?? "", /:v?\d+\.\d+\.\d+(?:-[a-z-]+)*$/, name)
      else assert.match(read("Dockerfile"), /^FROM node:\d+\.\d+\.\d+-/m)
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name)
    }
  })

  it("services wait for checks that exist, and mount files that exist", () => {
    for (const [name, { depends_on = {}, volumes: mounted = [] }] of each) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        assert.property(services, other)
        if (condition === "service_healthy") assert.property(services[other], "healthcheck", `${name}: ${other}`)
      }
      for (const mount of mounted) {
        const [source = ""] = mount.split(":")
        assert.isTrue(source.startsWith("./") ? existsSync(join(docker, source)) : source in volumes, mount)
      }
    }
  })

  it("the brokers may have as many files open as their queues and connections need", () => {
    for (const name of ["rabbitmq", "redis"]) assert.isAtLeast(services[name]?.ulimits?.nofile ?? 0, 65_536, name)
  })

  it("services get settings that exist, and more time than their drain", () => {
    const demo = services["demo"]
    assert.deepStrictEqual(unknown(Object.keys(demo?.environment ?? {})), [])
    assert.isAbove(seconds(demo?.stop_grace_period ?? ""), 28)
  })

  it("Prometheus scrapes services of the compose file, and dashboards use its data source", () => {
    const { scrape_configs } = yaml("prometheus/prometheus.yaml") as {
      readonly scrape_configs: ReadonlyArray<{ readonly static_configs: ReadonlyArray<{ readonly targets: string[] }> }>
    }
    const hosts = scrape_configs.flatMap(({ static_configs }) => static_configs.flatMap(({ targets }) => targets))
    for (const host of hosts) assert.property({ ...services, localhost: {} }, host.split(":")[0] ?? "")
    const { datasources } = yaml("grafana/provisioning/datasources/datasources.yaml") as {
      readonly datasources: ReadonlyArray<{ readonly uid: string; readonly url: string }>
    }
    for (const { url } of datasources) assert.property(services, new URL(url).hostname)
    const asked = new Set(
      boards.flatMap((board) => (dashboardOf(board).panels ?? []).flatMap(({ datasource }) => datasource?.uid ?? []))
    )
    assert.deepStrictEqual([...asked], ["prometheus"])
    assert.include(
      datasources.map(({ uid }) => uid),
      "prometheus"
    )
    const { providers } = yaml("grafana/provisioning/dashboards/eventbus.yaml") as {
      readonly providers: ReadonlyArray<{ readonly options: { readonly path: string } }>
    }
    const inGrafana = (services["grafana"]?.volumes ?? []).map((mount) => mount.split(":")[1])
    for (const { options } of providers) assert.include(inGrafana, options.path)
  })

  it("the pipelines of the collector use all that is configured, and send to a service that exists", () => {
    const config = yaml("otel/collector.yaml") as {
      readonly [Kind in "receivers" | "processors" | "exporters" | "extensions"]: Readonly<
        Record<string, { readonly endpoint?: string } | null>
      >
    } & {
      readonly service: {
        readonly extensions: ReadonlyArray<string>
        readonly pipelines: Readonly<
          Record<string, Readonly<Record<"receivers" | "processors" | "exporters", ReadonlyArray<string>>>>
        >
      }
    }
    const pipelines = Object.values(config.service.pipelines)
    for (const kind of ["receivers", "processors", "exporters"] as const) {
      assert.sameMembers([...new Set(pipelines.flatMap((pipeline) => pipeline[kind]))], Object.keys(config[kind]), kind)
    }
    assert.sameMembers([...config.service.extensions], Object.keys(config.extensions))
    for (const pipeline of pipelines) assert.strictEqual(pipeline.processors[0], "memory_limiter")
    for (const exporter of Object.values(config.exporters))
      if (exporter?.endpoint !== undefined) assert.property(services, exporter.endpoint.split(":")[0] ?? "")
    const { endpoint } = { endpoint: services["demo"]?.environment?.["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "" }
    assert.property(services, new URL(endpoint).hostname)
  })
})

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
  readonly spec: {
    readonly selector?: { readonly matchLabels?: object; readonly app?: string }
    readonly template: {
      readonly metadata: { readonly labels: object }
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly securityContext: Readonly<Record<string, unknown>>
        readonly containers: ReadonlyArray<
          {
            readonly image: string
            readonly env?: unknown
            readonly envFrom: ReadonlyArray<Readonly<Record<string, { readonly name: string }>>>
            readonly ports: ReadonlyArray<{ readonly name: string; readonly containerPort: number }>
          } & Readonly<
            Record<
              "startupProbe" | "readinessProbe" | "livenessProbe",
              { readonly httpGet: { readonly path: string; readonly port: string }; readonly timeoutSeconds: number }
            >
          >
        >
      }
    }
  }
}

describe("the example for Kubernetes", () => {
  const documents = parseAllDocuments(read("kubernetes/service.yaml"), { strict: true, uniqueKeys: true })
  const manifests = documents.map((document) => document.toJS() as Manifest)
  const of = (kind: string): Manifest => {
    const found = manifests.find((manifest) => manifest.kind === kind)
    if (found === undefined) throw new Error(`there is no ${kind}`)
    return found
  }

  it("is YAML, with each kind once", () => {
    assert.deepStrictEqual(
      documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
      []
    )
    assert.sameMembers(
      manifests.map(({ kind }) => kind),
      ["Secret", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget"]
    )
  })

  it("uses each endpoint for its purpose, and waits longer than a drain takes", () => {
    const { containers, terminationGracePeriodSeconds } = of("Deployment").spec.template.spec
    assert.isAbove(terminationGracePeriodSeconds, 28)
    assert.isAbove(terminationGracePeriodSeconds, seconds(of("ConfigMap").data?.["EVENTBUS_DRAIN_TIMEOUT"] ?? "") + 3)
    assert.lengthOf(containers, 1)
    for (const { livenessProbe, ports, readinessProbe, startupProbe } of containers) {
      assert.strictEqual(livenessProbe.httpGet.path, "/health/live")
      assert.strictEqual(readinessProbe.httpGet.path, "/health/ready")
      assert.strictEqual(startupProbe.httpGet.path, "/health/live")
      for (const probe of [livenessProbe, readinessProbe, startupProbe]) {
        assert.include(
          ports.map(({ name }) => name),
          probe.httpGet.port
        )
        // A health probe takes at most a second.
        assert.isAtLeast(probe.timeoutSeconds, 2)
      }
    }
  })

  it("runs as the user of the image, by number: Kubernetes starts nothing whose user is only a name", () => {
    const [, user, group] = /^USER (\d+):(\d+)$/m.exec(read("Dockerfile")) ?? []
    assert.isAbove(Number(user), 0)
    const { runAsGroup, runAsNonRoot, runAsUser } = of("Deployment").spec.template.spec.securityContext
    assert.deepStrictEqual([runAsNonRoot, runAsUser, runAsGroup], [true, Number(user), Number(group)])
  })

  it("keeps addresses with passwords in a secret, and names settings that exist", () => {
    const [secret, config] = [of("Secret").stringData ?? {}, of("ConfigMap").data ?? {}]
    assert.sameMembers(Object.keys(secret), ["EVENTBUS_URL", "EVENTBUS_REDIS_URL"])
    assert.deepStrictEqual(unknown([...Object.keys(secret), ...Object.keys(config)]), [])
    for (const value of Object.values(config)) assert.notMatch(value, /:\/\/[^/]*@/)
    for (const url of Object.values(secret)) assert.match(url, /^(?:amqps|rediss):/)
    for (const { env, envFrom } of of("Deployment").spec.template.spec.containers) {
      assert.isUndefined(env)
      assert.sameMembers(
        envFrom.flatMap((one) => Object.values(one).map(({ name }) => name)),
        [of("Secret").metadata.name, of("ConfigMap").metadata.name]
      )
    }
  })

  it("selects the pods that it creates", () => {
    const { selector, template } = of("Deployment").spec
    assert.deepStrictEqual(selector?.matchLabels, template.metadata.labels)
    assert.deepStrictEqual<unknown>(of("Service").spec.selector, template.metadata.labels)
    assert.deepStrictEqual<unknown>(of("PodDisruptionBudget").spec.selector?.matchLabels, template.metadata.labels)
  })
})

describeLive(
  "the configuration of Prometheus",
  () => {
    it("is valid to promtool, with its rules", async () => {
      const output = await promtool("check", "config", join(docker, "prometheus/prometheus.yaml"))
      assert.include(output, "is valid prometheus config file syntax")
      assert.include(output, "rules found")
    })
  },
  ["monitors"]
)
