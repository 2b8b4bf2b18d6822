/**
 * No secret leaves: each kind of secret is planted in each way that services have, and each place is searched where
 * something of a service can be seen: console for people and as JSON, collector, dead letters, Redis, HTTP.
 */
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { connect } from "amqplib"
import { Cause, ConfigProvider, Effect, Layer, Redacted, References, Schema } from "effect"
import { TestConsole } from "effect/testing"
import { Event, EventBus, httpEndpoints, Reject, sensitive, Telemetry } from "../../src/index.ts"
import { statsBecome } from "../../src/ports/conformance/setup/Waiting.ts"
import { type Collector, startCollector } from "../app/telemetry/Collector.ts"
import { describeLive } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { type RedisNode, startRedis } from "../support/RedisNode.ts"

interface Row {
  readonly name: string
  /** What nothing may show. */
  readonly secrets: ReadonlyArray<string>
  readonly plant: Effect.Effect<unknown, unknown>
}

/** Each row has its own word, so that a leak names its row. */
let rows = 0
const canary = (): string => `c4n4ry${++rows}`
const address = (secret: string): string => `amqp://svc:${secret}@broker.example:5672/eduflow`

const logged = (name: string, plant: (url: string, secret: string) => Effect.Effect<unknown, unknown>): Row => {
  const secret = canary()
  return { name, secrets: [secret], plant: plant(address(secret), secret) }
}

class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String }) {}

const inLogs: ReadonlyArray<Row> = [
  logged("a URL in a message", (url) => Effect.logInfo(`connecting to ${url}`)),
  logged("a URL in an annotation", (url) => Effect.annotateLogs(Effect.logInfo("connecting"), { url })),
  logged("an Error in a message", (url) => Effect.logError("lost", new Error(`no way to ${url}`))),
  logged("an Error in an annotation", (url) =>
    Effect.annotateLogs(Effect.logError("lost"), { why: new Error(`no way to ${url}`) })
  ),
  logged("an Error within a value", (url) =>
    Effect.logError("lost", { tries: [{ why: new Error(`no way to ${url}`) }] })
  ),
  logged("the cause of an Error", (url) =>
    Effect.logError("lost", new Error("outer", { cause: new Error(`no way to ${url}`) }))
  ),
  logged("the name and the stack of an Error", (url) =>
    Effect.logError("lost", Object.assign(new Error("x"), { name: url, stack: `Error: x\n    at ${url}:1:1` }))
  ),
  logged("a field of an Error", (_, secret) =>
    Effect.logError("lost", Object.assign(new Error("NOAUTH"), { command: { name: "auth", args: [secret] } }))
  ),
  logged("a failure", (url) => Effect.logError("lost", Cause.fail(new Refused({ message: `no way to ${url}` })))),
  logged("a failure that is a text", (url) => Effect.logError("lost", Cause.fail(`no way to ${url}`))),
  logged("a failure that is an object", (_, secret) => Effect.logError("lost", Cause.fail({ password: secret, n: 1 }))),
  logged("a defect", (url) => Effect.logError("lost", Cause.die(new TypeError(`no way to ${url}`)))),
  logged("the failure of a span", (url) =>
    Effect.ignore(Effect.withSpan(Effect.fail(new Refused({ message: `no way to ${url}` })), "dial"))
  ),
  logged("the defect of a span, with a cause", (url) =>
    Effect.exit(Effect.withSpan(Effect.die(new Error("outer", { cause: new Error(`no way to ${url}`) })), "dial"))
  ),
  logged("an attribute of a span", (url, secret) =>
    Effect.withSpan(Effect.void, "dial", { attributes: { "server.url": url, "db.password": secret } })
  ),
  logged("a Redacted", (_, secret) => Effect.annotateLogs(Effect.logInfo("login"), { key: Redacted.make(secret) })),
  logged("a key of a map that suggests a secret", (_, secret) =>
    Effect.logInfo("login", new Map([["apiKey", secret]]))
  ),
  logged("a URL that is an object", (url) => Effect.logInfo("connecting", new URL(url))),
  logged("a URL as a key", (url) => Effect.annotateLogs(Effect.logInfo("connecting"), { [url]: 1 })),
  logged("bytes", (_, secret) => Effect.logInfo("read", { body: Buffer.from(secret) })),
  logged('a password with "/" and "@" that nobody encoded', (_, secret) =>
    Effect.logInfo(`connecting to amqp://svc:x/${secret}@y@broker.example`)
  ),
  logged("a parameter of a URL", (_, secret) =>
    Effect.logInfo(`connecting to redis+sentinel://a,b/main?sentinelPassword=${secret}&n=1`)
  )
]

/** The data of an event, and how a handler quotes it. */
interface Handled {
  readonly row: Row
  readonly event: Event.Event<string, unknown>
  readonly data: unknown
  readonly quote: (data: unknown) => string
}

const handled = <S extends Schema.Top & { readonly DecodingServices: never; readonly EncodingServices: never }>(
  name: string,
  schema: S,
  data: (secret: string) => S["Type"],
  quote: (data: S["Type"], secret: string) => string,
  spelled: (secret: string) => ReadonlyArray<string> = (secret) => [secret]
): Handled => {
  const secret = canary()
  const event = Event.make(`canary.row-${rows}.posted`, { version: 1, data: Schema.Struct({ secret: schema }) })
  return {
    row: { name, secrets: spelled(secret), plant: Effect.void },
    event,
    data: { secret: data(secret) },
    // Called with the data of this event, which its struct has decoded.
    quote: (value) => quote((value as { readonly secret: S["Type"] }).secret, secret)
  }
}

const text = sensitive(Schema.String)
const long = (secret: string): string => `${secret}+hunter two/ü`
const base64 = (value: string): string => Buffer.from(value).toString("base64")
const inHandlers: ReadonlyArray<Handled> = [
  handled(
    "sensitive text",
    text,
    (s) => s,
    (value) => value
  ),
  handled(
    "sensitive text in upper case",
    text,
    (s) => s,
    (value) => value.toUpperCase(),
    (s) => [s, s.toUpperCase()]
  ),
  handled("sensitive text in a URL", text, long, encodeURIComponent, (s) => [s, encodeURIComponent(long(s))]),
  handled("sensitive text in base64", text, long, base64, (s) => [s, base64(long(s)).slice(0, 12)]),
  handled(
    "sensitive text in the base64 of more",
    text,
    long,
    (v) => base64(`x:${v}`),
    (s) => [s, base64(`x:${long(s)}`).slice(4, 16)]
  ),
  handled("sensitive text, cut", text, long, (value) => value.slice(0, 10)),
  handled(
    "a short sensitive text",
    text,
    () => "Qz",
    (value) => `(${value})`,
    () => ["(Qz)"]
  ),
  handled(
    "a sensitive URL",
    sensitive(Schema.URL),
    (s) => new URL(`https://host.example/${s}?key=${s}-2`),
    (url) => `${url.pathname} ${url.searchParams.get("key")}`
  ),
  handled(
    "a Redacted",
    Schema.RedactedFromValue(Schema.String),
    (s) => Redacted.make(s),
    (value) => Redacted.value(value)
  ),
  handled(
    "sensitive bytes",
    sensitive(Schema.Uint8Array),
    (s) => Buffer.from(s),
    (bytes) => `${Buffer.from(bytes).toString("hex")} ${bytes.join(",")} ${Buffer.from(bytes).toString()}`,
    (s) => [s, Buffer.from(s).toString("hex"), Buffer.from(s).join(",")]
  ),
  handled(
    "a sensitive key of a record",
    Schema.Record(text, Schema.Finite),
    (s) => ({ [s]: 1 }),
    (record) => Object.keys(record).join()
  ),
  handled(
    "a sensitive part of a template",
    Schema.TemplateLiteral(["user:", text]),
    (s) => `user:${s}` as const,
    (value) => value.slice(5)
  )
]

/** Handled: it leaves a done mark, and a last known event. */
const Kept = Event.make("canary.kept.posted", { version: 1, data: Schema.Struct({ secret: text }) })

const [password, kept] = [canary(), canary()]
const always: ReadonlyArray<Row> = [
  { name: "the password of RabbitMQ and Redis", secrets: [password], plant: Effect.void },
  { name: "the sensitive text of a handled event", secrets: [kept], plant: Effect.void }
]

const all: ReadonlyArray<Row> = [...always, ...inLogs, ...inHandlers.map(({ row }) => row)]

/** What the service shows on purpose in each place: a search that does not find it looks at nothing. */
const planted = "pl4nted"

const service = (url: string, redisUrl: string, collector: Collector, format: "json" | "pretty") =>
  Effect.gen(function* () {
    const namespace = `canary-${format}`
    const pages: Array<string> = []
    let http = ""
    const life = Effect.gen(function* () {
      const bus = yield* EventBus
      const quotes = new Map(inHandlers.map(({ event, quote }) => [event.name, quote]))
      const subscription = yield* bus.subscribe(planted, {
        events: [Kept, ...inHandlers.map(({ event }) => event)],
        idempotent: true,
        handler: (event): Effect.Effect<void, Reject | Refused> => {
          if (event.type === Kept.name) return Effect.void
          const quoted = `no such account: ${quotes.get(event.type)?.(event.data) ?? ""}.`
          return event.type.length % 2 === 0
            ? Effect.fail(new Reject({ reason: quoted }))
            : Effect.die(new Error("outer", { cause: new Error(quoted) }))
        }
      })
      for (const { event, data } of inHandlers) yield* bus.publish(event, data)
      yield* bus.publish(Kept, { secret: kept })
      yield* statsBecome(subscription, { deadLettered: inHandlers.length, handled: 1 })
      for (const { plant } of inLogs) yield* Effect.ignore(plant)
      yield* Effect.withSpan(Effect.logInfo(planted), planted)
      for (const path of ["/health", "/health/ready", "/metrics"])
        pages.push(yield* Effect.promise(() => fetch(`${http}${path}`).then((answer) => answer.text())))
    }).pipe(Effect.scoped)
    const layer = httpEndpoints({ port: 0, details: true, onListen: (on) => (http = on) }).pipe(
      Layer.provideMerge(EventBus.layerAmqp({ url, redisUrl, namespace, source: planted })),
      Layer.provideMerge(Telemetry.layer({ logs: format, service: planted }))
    )
    yield* Effect.provide(life, layer)
    return { console: (yield* TestConsole.logLines).map(String).join("\n"), http: pages.join("\n") }
  }).pipe(
    Effect.provide(
      Layer.merge(
        TestConsole.layer,
        ConfigProvider.layer(
          ConfigProvider.fromEnvRecord({
            OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
            OTEL_EXPORTER_OTLP_PROTOCOL: "http/json"
          })
        )
      )
    ),
    Effect.provideService(References.MinimumLogLevel, "All"),
    Effect.runPromise
  )

describeLive(
  "canaries",
  () => {
    const places = new Map<string, string>()
    const servers: Array<RabbitNode | RedisNode | Collector> = []
    beforeAll(async () => {
      const [rabbit, redis, collector] = await Promise.all([startRabbit(), startRedis(), startCollector()])
      servers.push(rabbit, redis, collector)
      const url = await rabbit.addUser("svc", password)
      await redis.cli("ACL", "SETUSER", "svc", "on", `>${password}`, "~*", "&*", "+@all")
      const redisUrl = redis.url.replace("//", `//svc:${password}@`)
      const json = await service(url, redisUrl, collector, "json")
      places.set("console as JSON", json.console).set("HTTP", json.http)
      places.set("console for people", (await service(url, redisUrl, collector, "pretty")).console)
      places.set("collector", JSON.stringify(collector.requests.map(({ body, path }) => [path, body])))
      const connection = await connect(url)
      const channel = await connection.createChannel()
      const letters: Array<string> = []
      for (;;) {
        const letter = await channel.get(`canary-json.dead.${planted}`, { noAck: true })
        if (letter === false) break
        letters.push(JSON.stringify(letter.properties))
      }
      await connection.close()
      assert.lengthOf(letters, inHandlers.length)
      places.set("dead letters", letters.join("\n"))
      // What is remembered of an event is its body, as on the broker; everything else may be seen by an operator.
      const keys = (await redis.cli("--raw", "KEYS", "*")).split("\n")
      const claims = await Promise.all(
        keys.filter((key) => key.endsWith(":claim")).map((key) => redis.cli("--raw", "GET", key))
      )
      assert.isNotEmpty(claims)
      places.set(
        "Redis",
        [...keys, ...claims, await redis.cli("CLIENT", "LIST"), await redis.cli("SLOWLOG", "GET")].join("\n")
      )
    }, 240_000)
    afterAll(() => Promise.all(servers.map((server) => server.stop())))

    it("each place is searched", () => {
      assert.sameMembers(
        [...places.keys()],
        ["console as JSON", "console for people", "HTTP", "collector", "dead letters", "Redis"]
      )
      for (const [place, shown] of places) assert.include(shown, planted, place)
    })

    it.each(all)("P14: $name", ({ secrets }) => {
      for (const [place, shown] of places)
        for (const secret of secrets) assert.deepStrictEqual(around(shown, secret), [], place)
    })
  },
  ["rabbitNode", "redisNode"]
)

/** The parts of a text around a secret; a row's word is not the beginning of that of another row. */
const around = (shown: string, secret: string): ReadonlyArray<string> =>
  shown
    .split(secret)
    .slice(1)
    .flatMap((after, i) =>
      /^[0-9]/.test(after) && /^c4n4ry\d+$/.test(secret) ? [] : [`${i}: …${secret}${after.slice(0, 40)}`]
    )
