/** Exactly what is declared, and what happens when something differs, is missing or is not allowed: one clear error (P16). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import type { RabbitNode } from "../../support/RabbitNode.ts"
import { freshNamespace } from "../../support/live.ts"
import { consume, subscriber } from "../setup/Consumers.ts"
import { type Row, sorted } from "../setup/Listings.ts"
import { open, rawChannel, refusalOf, secret } from "../setup/OpenBroker.ts"
import { copyTo, event, outgoing, send } from "../setup/Sends.ts"
import { untilEffect } from "../setup/Until.ts"

const many = 1_000_000_000
const stars = "*.".repeat(20)
const level = (n: number): string => `ns.delay.${String(n).padStart(2, "0")}`
const levels = Array.from({ length: 20 }, (_, n) => n)
const atLeastOnce = (target: string) => ({
  "x-dead-letter-exchange": target,
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish"
})
const quorum = (name: string, more: object) => ({
  name,
  durable: true,
  auto_delete: false,
  arguments: { "x-queue-type": "quorum", ...more }
})
const exchange = (name: string, type: string, more: object = {}) => ({
  name,
  type,
  durable: true,
  auto_delete: false,
  internal: false,
  arguments: more
})
const queueBinding = (source: string, destination: string, key: string) => ({
  source_name: source,
  destination_name: destination,
  destination_kind: "queue",
  routing_key: key
})
const sub = (name: string, more: object = {}) =>
  quorum(`ns.sub.${name}`, {
    "x-delivery-limit": 20,
    ...atLeastOnce("ns.dead"),
    "x-dead-letter-routing-key": name,
    ...more
  })

const queues = [
  quorum("ns.undeliverable", { "x-delivery-limit": many }),
  quorum("ns.canary", { "x-message-ttl": 1000 }),
  // Those that a delay was sent to.
  ...[0, 2, 11].map((n) =>
    quorum(level(n), { "x-message-ttl": 2 ** n * 1000, ...atLeastOnce(n === 0 ? "ns.delay.deliver" : level(n - 1)) })
  ),
  quorum("ns.dead.plain", { "x-delivery-limit": many }),
  quorum("ns.dead.in-order", { "x-delivery-limit": many }),
  sub("plain"),
  sub("in-order", { "x-single-active-consumer": true })
]
const exchanges = [
  exchange("ns.events", "topic"),
  exchange("ns.dead", "direct"),
  exchange("ns.undeliverable", "fanout"),
  exchange("ns.delay.deliver", "topic", { "alternate-exchange": "ns.undeliverable" }),
  ...levels.map((n) => exchange(level(n), "topic"))
]
const bindings = [
  queueBinding("ns.undeliverable", "ns.undeliverable", ""),
  queueBinding("ns.delay.deliver", "ns.canary", `${stars}to._canary.#`),
  ...[0, 2, 11].map((n) => queueBinding(level(n), level(n), `${"*.".repeat(19 - n)}1.#`)),
  ...levels.flatMap((n) => [
    {
      source_name: level(n),
      destination_name: n === 0 ? "ns.delay.deliver" : level(n - 1),
      destination_kind: "exchange",
      routing_key: `${"*.".repeat(19 - n)}0.#`
    }
  ]),
  ...(
    [
      ["plain", ["a.b", "c.#"]],
      ["in-order", ["a.b"]]
    ] as const
  ).flatMap(([name, patterns]) => [
    queueBinding("ns.dead", `ns.dead.${name}`, name),
    queueBinding("ns.delay.deliver", `ns.sub.${name}`, `${stars}to.${name}`),
    ...patterns.flatMap((pattern) => [
      queueBinding("ns.events", `ns.sub.${name}`, pattern),
      queueBinding("ns.delay.deliver", `ns.sub.${name}`, `${stars}publish.${pattern}`)
    ])
  ])
]
/** Where a message can go from a queue or an exchange, whatever its routing key. */
const ways = (from: string): ReadonlyArray<string> => [
  ...queues.flatMap(({ arguments: given, name }) =>
    from === `queue ${name}` && "x-dead-letter-exchange" in given ? [`exchange ${given["x-dead-letter-exchange"]}`] : []
  ),
  ...bindings.flatMap(({ destination_kind, destination_name, source_name }) =>
    from === `exchange ${source_name}` ? [`${destination_kind} ${destination_name}`] : []
  ),
  ...exchanges.flatMap(({ arguments: given, name }) =>
    from === `exchange ${name}` && "alternate-exchange" in given ? [`exchange ${given["alternate-exchange"]}`] : []
  )
]
const cycleFrom = (start: string): ReadonlyArray<string> => {
  const seen = new Set<string>()
  const open = [...ways(start)]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === start) return [start]
    if (!seen.has(at)) open.push(...ways(at))
    seen.add(at)
  }
  return []
}

export const topologyCases = (node: () => RabbitNode): void => {
  describe.concurrent("Topology", () => {
    it.live(
      "PUB11, T3, T9, T12, N15: the topology is frozen: exactly these queues, exchanges and bindings, with exactly these arguments",
      () =>
        Effect.gen(function* () {
          const url = yield* Effect.promise(() => node().addVhost("frozen"))
          const { broker } = yield* open(url, { namespace: "ns", canaryInterval: "1 hour" })
          yield* broker.declare(subscriber("plain", ["a.b", "c.#"]))
          yield* broker.declare(subscriber("in-order", ["a.b"], "key"))
          // Declared again, also by another process: nothing changes.
          yield* broker.declare(subscriber("plain", ["a.b"]))
          yield* open(url, { namespace: "ns" })
          const delay = 2 ** 11 + 2 ** 2
          assert.deepStrictEqual(yield* send(broker, outgoing(copyTo("plain", delay))), {
            _tag: "Confirmed",
            routed: true
          })
          const list = (what: string, ...columns: ReadonlyArray<string>) =>
            Effect.promise(async (): Promise<ReadonlyArray<Row>> =>
              JSON.parse(await node().ctl("--vhost", "frozen", "--formatter", "json", what, ...columns))
            )
          // Declared behind the start: nothing waits for canaries.
          yield* untilEffect(
            () => "no place for canaries",
            Effect.map(list("list_bindings", "source_name", "destination_name"), (rows) =>
              rows.some(({ destination_name, source_name }) => destination_name === "ns.canary" && source_name !== "")
            )
          )
          const [foundQueues, foundExchanges, foundBindings] = yield* Effect.all(
            [
              list("list_queues", "name", "durable", "auto_delete", "arguments"),
              list("list_exchanges", "name", "type", "durable", "auto_delete", "internal", "arguments"),
              list("list_bindings", "source_name", "destination_name", "destination_kind", "routing_key")
            ],
            { concurrency: 2 }
          )
          assert.deepStrictEqual(
            sorted(foundQueues.map((row) => ({ ...row, arguments: plainArguments(row["arguments"]) }))),
            sorted(queues)
          )
          assert.deepStrictEqual(
            sorted(
              foundExchanges
                .filter(({ name }) => String(name).startsWith("ns."))
                .map((row) => ({ ...row, arguments: plainArguments(row["arguments"]) }))
            ),
            sorted(exchanges)
          )
          assert.deepStrictEqual(
            sorted(foundBindings.filter(({ source_name }) => source_name !== "")),
            sorted(bindings)
          )
          assert.deepStrictEqual(
            queues.flatMap(({ name }) => cycleFrom(`queue ${name}`)),
            [],
            "what expires or is given up comes where it was"
          )
        })
    )

    it.live("T1, P16: a shared object that differs fails the start with entity, argument, both values and remedy", () =>
      Effect.gen(function* () {
        const raw = yield* rawChannel(node().url)
        const first = freshNamespace()
        yield* Effect.promise(() =>
          raw.assertQueue(`${first}.delay.00`, {
            arguments: { "x-queue-type": "quorum", "x-message-ttl": 5, ...atLeastOnce(`${first}.delay.deliver`) }
          })
        )
        const ttl = yield* refusalOf(node().url, { namespace: first })
        assert.deepInclude(ttl.reason, {
          _tag: "TopologyMismatch",
          entity: `queue ${first}.delay.00`,
          argument: "x-message-ttl",
          expected: "1000",
          actual: "5"
        })
        assert.match(ttl.message, /delete it|new name/)
        const second = freshNamespace()
        yield* Effect.promise(() => raw.assertExchange(`${second}.events`, "direct"))
        const type = yield* refusalOf(node().url, { namespace: second })
        assert.deepInclude(type.reason, {
          _tag: "TopologyMismatch",
          entity: `exchange ${second}.events`,
          argument: "type",
          expected: "topic",
          actual: "direct"
        })
      })
    )

    it.live("T1, T12, C8, P16: a queue that differs fails its subscriber and no sibling", () =>
      Effect.gen(function* () {
        const raw = yield* rawChannel(node().url)
        const { broker } = yield* open(node().url)
        yield* broker.declare(subscriber("good", ["x"]))
        const good = yield* consume(broker, "good")
        yield* Effect.promise(() =>
          raw.assertQueue(`${broker.namespace}.sub.bad`, {
            arguments: {
              "x-queue-type": "quorum",
              "x-delivery-limit": 5,
              ...atLeastOnce(`${broker.namespace}.dead`),
              "x-dead-letter-routing-key": "bad"
            }
          })
        )
        const bad = yield* Effect.flip(broker.declare(subscriber("bad", ["x"])))
        assert.deepInclude(bad.reason, {
          _tag: "TopologyMismatch",
          entity: `queue ${broker.namespace}.sub.bad`,
          argument: "x-delivery-limit",
          expected: "20",
          actual: "5"
        })
        const ordering = yield* Effect.flip(broker.declare(subscriber("good", ["x"], "key")))
        assert.deepInclude(ordering.reason, {
          _tag: "TopologyMismatch",
          argument: "x-single-active-consumer",
          expected: "true",
          actual: "none"
        })
        assert.include(ordering.message, "new subscriber name")
        yield* broker.declare(subscriber("sibling", ["x"]))
        assert.deepStrictEqual(yield* send(broker, outgoing(event("x"))), { _tag: "Confirmed", routed: true })
        yield* good.reaches(1)
        assert.deepStrictEqual(good.losses, [])
      })
    )

    it.live('T2, N31: missing permissions are reported as such; "verify" needs no permission to declare', () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const url = yield* Effect.promise(() => node().addUser("reader", secret, { configure: "^$" }))
        const denied = yield* refusalOf(url, { namespace })
        assert.deepInclude(denied.reason, {
          _tag: "Permission",
          entity: `exchange ${namespace}.events`,
          username: "reader"
        })
        assert.include(denied.message, "set_permissions")
        const missing = yield* refusalOf(url, { namespace, topology: "verify" })
        assert.deepInclude(missing.reason, { _tag: "TopologyMissing", entity: `exchange ${namespace}.events` })
        const owner = yield* open(node().url, { namespace })
        yield* owner.broker.declare(subscriber("there", ["x"]))
        const { broker } = yield* open(url, { namespace, topology: "verify" })
        yield* broker.declare(subscriber("there", ["x"]))
        assert.deepInclude((yield* Effect.flip(broker.declare(subscriber("nowhere", ["x"])))).reason, {
          _tag: "TopologyMissing",
          entity: `queue ${namespace}.dead.nowhere`
        })
        // What all services share is there, and the user may not declare it: it declares nothing of that, and nothing else either.
        const using = yield* open(url, { namespace })
        assert.strictEqual(
          (yield* Effect.flip(using.broker.declare(subscriber("mine", ["x"])))).reason._tag,
          "Permission"
        )
        const own = using.broker.probes.find(({ name }) => name === "topology")
        assert.include((yield* own?.check ?? Effect.die("no probe")).detail, "may not declare it")
        const topology = broker.probes.find(({ name }) => name === "topology")
        assert.include((yield* topology?.check ?? Effect.die("no probe")).detail, "arguments are not known")
        const consumer = yield* consume(broker, "there")
        assert.deepStrictEqual(yield* send(broker, outgoing(event("x"))), { _tag: "Confirmed", routed: true })
        yield* consumer.reaches(1)
        const blind = yield* Effect.promise(() => node().addUser("blind", secret, { read: "^$" }))
        assert.strictEqual((yield* refusalOf(blind, { namespace })).reason._tag, "Permission")
        const looking = yield* open(blind, { namespace, topology: "verify" })
        const exit = yield* Effect.exit(consume(looking.broker, "there"))
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual((yield* Effect.flip(consume(looking.broker, "there"))).reason._tag, "Permission")
      })
    )
  })
}

/** rabbitmqctl prints them as `[name, type, value]`, and `{}` or a list for none. */
const plainArguments = (given: unknown): unknown =>
  Array.isArray(given) ? Object.fromEntries(given.map(([name, , value]) => [name, value])) : given
