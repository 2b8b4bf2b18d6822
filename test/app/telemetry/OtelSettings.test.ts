/** The standard variables: their meaning, their precedence, and the faults reported for invalid values. */
import { assert, describe, it } from "@effect/vitest"
import { Tracer } from "effect"
import * as OtelSettings from "../../../src/app/telemetry/OtelSettings.ts"

const parse = (values: Readonly<Record<string, string>>, defaults: OtelSettings.Defaults = {}) =>
  OtelSettings.parse(new Map(Object.entries(values)), defaults)
const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/base/" }

describe("OTEL_ variables", () => {
  it("nothing is exported without an endpoint; with one all three signals are, each with its path", () => {
    assert.deepStrictEqual(parse({}).settings.signals, {})
    const { faults, settings } = parse(collector)
    assert.deepStrictEqual(faults, [])
    assert.deepStrictEqual(
      [settings.signals.traces?.url, settings.signals.metrics?.url, settings.signals.logs?.url],
      ["traces", "metrics", "logs"].map((name) => `http://collector:4318/base/v1/${name}`)
    )
    assert.strictEqual(parse({}, { endpoint: "http://a:1" }).settings.signals.logs?.url, "http://a:1/v1/logs")
  })

  it("a variable of one signal overrides that of all signals; its endpoint is used as it is", () => {
    const { settings } = parse({
      ...collector,
      OTEL_EXPORTER_OTLP_TIMEOUT: "5",
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "6",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces:1/in",
      OTEL_EXPORTER_OTLP_HEADERS: "a=1, b=x%20y",
      OTEL_EXPORTER_OTLP_LOGS_HEADERS: "c=3",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      OTEL_METRICS_EXPORTER: "none"
    })
    const { logs, metrics, traces } = settings.signals
    assert.deepStrictEqual([traces?.url, traces?.timeoutMillis, logs?.timeoutMillis], ["https://traces:1/in", 6, 5])
    assert.deepStrictEqual({ ...traces?.headers }, { a: "1", b: "x y" })
    assert.deepStrictEqual({ ...logs?.headers }, { c: "3" })
    assert.deepStrictEqual([traces?.compression, metrics], ["gzip", undefined])
  })

  it("the name of the service: its own variable, then the resource, the layer, the bus", () => {
    const of = (values: Readonly<Record<string, string>>, serviceName?: string) =>
      parse(values, { serviceName }).settings.serviceName
    const all = { OTEL_SERVICE_NAME: "own", OTEL_RESOURCE_ATTRIBUTES: "service.name=resource", EVENTBUS_SOURCE: "bus" }
    const { OTEL_SERVICE_NAME: _own, ...resource } = all
    const { OTEL_RESOURCE_ATTRIBUTES: _resource, ...bus } = resource
    assert.deepStrictEqual(
      [of(all, "layer"), of(resource, "layer"), of(bus, "layer"), of(bus), of({})],
      ["own", "resource", "layer", "bus", "unknown_service:node"]
    )
  })

  it("an invalid value is reported with its name, its value and what is expected, and the default is used", () => {
    const { faults, settings } = parse({
      ...collector,
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_METRIC_EXPORT_INTERVAL: "soon",
      OTEL_TRACES_SAMPLER: "sometimes",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization",
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "collector:4318"
    })
    assert.sameMembers(
      [...faults],
      [
        'OTEL_EXPORTER_OTLP_PROTOCOL is not understood: expected http/json or http/protobuf, not "grpc"',
        'OTEL_METRIC_EXPORT_INTERVAL is not understood: expected a whole number from 1 up, not "soon"',
        'OTEL_TRACES_SAMPLER is not understood: expected always_on, always_off, traceidratio, or one of them with parentbased_ before it, not "sometimes"',
        // Without the value, which may be a secret.
        "OTEL_EXPORTER_OTLP_HEADERS is not understood: expected name=value, name=value",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT is not understood: expected an address with http:// or https://"
      ]
    )
    assert.deepStrictEqual(
      [settings.protocol, settings.metricIntervalMillis, settings.signals.logs],
      ["http/protobuf", 60_000, undefined]
    )
  })

  it("OTEL_SDK_DISABLED disables all exports", () => {
    assert.deepStrictEqual(parse({ ...collector, OTEL_SDK_DISABLED: "true" }).settings.signals, {})
  })

  it("samplers decide as their names say, and a ratio keeps its share", () => {
    const sampler = (name: string, argument = "0.25") =>
      parse({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument }).settings.sampler
    const parent = (sampled: boolean) => Tracer.externalSpan({ traceId: "a", spanId: "b", sampled })
    const id = () => "0".repeat(32)
    const decisions = (name: string) => [undefined, parent(true), parent(false)].map((of) => sampler(name)(of, id))
    assert.deepStrictEqual(decisions("always_on"), [true, true, true])
    assert.deepStrictEqual(decisions("always_off"), [false, false, false])
    assert.deepStrictEqual(decisions("parentbased_always_on"), [true, true, false])
    assert.deepStrictEqual(decisions("parentbased_always_off"), [false, true, false])
    const ids = Array.from({ length: 4_000 }, () => crypto.randomUUID().replaceAll("-", ""))
    const kept = ids.filter((id) => sampler("traceidratio")(undefined, () => id))
    assert.isTrue(kept.length > 800 && kept.length < 1_200, String(kept.length))
    // The same decision for the same trace, whatever the parent.
    assert.deepStrictEqual(
      ids.filter((id) => sampler("traceidratio")(parent(false), () => id)),
      kept
    )
    const begun = ids.filter((id) => sampler("parentbased_traceidratio")(undefined, () => id))
    assert.isTrue(begun.length > 800 && begun.length < 1_200, String(begun.length))
    assert.deepStrictEqual(decisions("parentbased_traceidratio").slice(1), [true, false])
  })
})
