/**
 * Every error of the library in one table: its tag, whether a retry can help, and the remedy in its message. A reason
 * that is missing in the table fails the test.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { EventBus } from "../../src/app/EventBus.ts"
import * as BrokerError from "../../src/bus/port/BrokerError.ts"
import * as BrokerReason from "../../src/bus/port/BrokerReason.ts"
import * as PublishError from "../../src/bus/send/PublishError.ts"
import * as PublishReason from "../../src/bus/send/PublishReason.ts"
import * as SubscribeError from "../../src/bus/subscriber/SubscribeError.ts"
import * as DeadLettersError from "../../src/bus/deadletter/DeadLettersError.ts"
import * as CacheError from "../../src/bus/port/CacheError.ts"
import * as CacheReason from "../../src/bus/port/CacheReason.ts"
import * as Event from "../../src/event/Event.ts"
import * as EventGroup from "../../src/event/EventGroup.ts"
import { EventDefinitionError, InvalidEvent, UnknownEvent, UnknownVersion } from "../../src/event/EventError.ts"

const address = "rabbit.internal:5672"

/** By tag: the reason, whether it is retryable, and the words that name the value and the remedy. */
const broker = {
  Connection: [
    new BrokerReason.ConnectionFailed({ address, detail: "ECONNREFUSED" }),
    true,
    [address, "ECONNREFUSED", "check that RabbitMQ runs there"]
  ],
  Authentication: [
    new BrokerReason.AuthenticationFailed({ address, username: "svc" }),
    false,
    [address, "svc", "check the user name and the password"]
  ],
  Vhost: [
    new BrokerReason.VhostUnavailable({ address, vhost: "/prod", username: "svc" }),
    false,
    ["/prod", "svc", "rabbitmqctl add_vhost", "set_permissions"]
  ],
  Tls: [
    new BrokerReason.TlsFailed({ address, code: "CERT_HAS_EXPIRED", remedy: "the certificate has expired: renew it" }),
    false,
    [address, "CERT_HAS_EXPIRED", "renew it"]
  ],
  TopologyMismatch: [
    new BrokerReason.TopologyMismatch({
      entity: "queue eduflow.sub.a",
      argument: "x-delivery-limit",
      expected: "20",
      actual: "5",
      remedy: "use a new name"
    }),
    false,
    ["queue eduflow.sub.a", "x-delivery-limit", "20", "5", "use a new name"]
  ],
  Credentials: [
    new BrokerReason.CredentialsUnavailable({ address: "rabbit.internal:5672", detail: "the option tls failed" }),
    true,
    ["rabbit.internal:5672", "the option tls failed", "what issues them"]
  ],
  TopologyMissing: [
    new BrokerReason.TopologyMissing({ entity: "queue eduflow.sub.a", remedy: "declare it" }),
    false,
    ["queue eduflow.sub.a", "declare it"]
  ],
  Permission: [
    new BrokerReason.PermissionDenied({ entity: "exchange eduflow.events", username: "svc" }),
    false,
    ["svc", "exchange eduflow.events", "rabbitmqctl set_permissions"]
  ],
  Refused: [
    new BrokerReason.BrokerRefused({ operation: "declaring", detail: "no answer within 10000 ms" }),
    true,
    ["declaring", "no answer within 10000 ms"]
  ],
  ConsumerTimeout: [
    new BrokerReason.ConsumerTimeout({ queue: "eduflow.sub.a", millis: 1_800_000 }),
    true,
    ["eduflow.sub.a", "1800000 ms", "Raise consumer_timeout in rabbitmq.conf"]
  ],
  QueueInUse: [new BrokerReason.QueueInUse({ queue: "orders" }), true, ["queue orders", "alone", "single reader"]],
  Closed: [new BrokerReason.Closed(), false, ["the bus is closed", "after its scope ended"]],
  Settings: [
    new BrokerReason.SettingsInvalid({ setting: "url", problem: "it is empty", remedy: "Write amqp://…" }),
    false,
    ["url", "it is empty", "Write amqp://…"]
  ],
  ClientUnsupported: [
    new BrokerReason.ClientUnsupported({ client: "amqplib", found: "9.0.0", known: "2.3.x", detail: "it is new" }),
    false,
    ["amqplib 9.0.0", "2.3.x is", "it is new", "package.json"]
  ]
} as const satisfies Record<BrokerReason.BrokerReason["_tag"], Row<BrokerReason.BrokerReason>>

const publish = {
  Invalid: [
    new PublishReason.Invalid({ faults: [{ path: "data.grade", expected: "a number" }] }),
    false,
    ["data.grade", "a number", "nothing was sent"]
  ],
  Denied: [
    new PublishReason.Denied({ by: "contract", role: "student", detail: 'role "student" may not publish it' }),
    false,
    ["student", "CurrentActor", "publishers"]
  ],
  Unavailable: [
    new PublishReason.Unavailable({ cause: new BrokerReason.ConnectionFailed({ address, detail: "ECONNREFUSED" }) }),
    true,
    [address, "nothing was sent"]
  ],
  Overloaded: [
    new PublishReason.Overloaded({ detail: "1000 events are in flight" }),
    true,
    ["1000 events", "nothing was sent", "publish more slowly"]
  ],
  Rejected: [new PublishReason.Rejected(), true, ["refused to store it", "a length limit", "other queues may have it"]],
  Unroutable: [new PublishReason.Unroutable(), false, ["no subscriber is bound", "register the subscriber"]],
  Unknown: [new PublishReason.Unknown(), true, ["may be stored", "publish it again with the same `id`"]],
  AroundFailed: [
    new PublishReason.AroundFailed({ hook: "tenants", begun: false, cause: new Error("no tenant") }),
    false,
    ['"tenants"', "no tenant", "nothing was sent"]
  ]
} as const satisfies Record<PublishReason.PublishReason["_tag"], Row<PublishReason.PublishReason>>

const cache = {
  Unavailable: [
    new CacheReason.CacheUnavailable({ detail: "redis:6379 is silent" }),
    true,
    ["redis:6379", "go on without it"]
  ],
  Refused: [
    new CacheReason.CacheRefused({ code: "NOPERM", remedy: "grant its user the commands" }),
    false,
    ["NOPERM", "grant its user the commands"]
  ],
  Corrupt: [
    new CacheReason.CacheCorrupt({ event: "a.b", detail: "data.n: a number" }),
    false,
    ["a.b", "data.n", "does not fit its contract"]
  ],
  Option: [
    new CacheReason.CacheOptionInvalid({ option: "limit", problem: "-1 is not accepted", remedy: "Give a number" }),
    false,
    ["`limit`", "-1", "Give a number"]
  ]
} as const satisfies Record<CacheError.CacheError["reason"]["_tag"], Row<CacheError.CacheError["reason"]>>

type Row<Reason> = readonly [reason: Reason, isRetryable: boolean, words: ReadonlyArray<string>]

interface Told extends Error {
  readonly isRetryable?: boolean
}

const check = (error: Told, isRetryable: boolean | undefined, words: ReadonlyArray<string>): void => {
  assert.strictEqual(error.isRetryable, isRetryable)
  for (const word of words) assert.include(error.message, word)
  assert.isAtMost(error.message.length, 1024)
  assert.notMatch(error.message, /undefined|\[object/)
}

/** An error that was encoded as JSON and decoded is the same error. */
const travels = <A>(schema: Schema.Codec<A, unknown>, error: A): void => {
  const wire: unknown = JSON.parse(JSON.stringify(Schema.encodeUnknownSync(schema)(error)))
  const back: unknown = Schema.decodeUnknownSync(schema)(wire)
  assert.strictEqual(String(back), String(error))
}

describe("errors", () => {
  for (const [tag, [reason, isRetryable, words]] of Object.entries(broker)) {
    it(`N10: broker, ${tag}: names the remedy, and whether a retry can help`, () => {
      const error = new BrokerError.BrokerError({ reason })
      assert.strictEqual(error.reason._tag, tag)
      check(error, isRetryable, words)
      travels(BrokerError.BrokerError, error)
      const subscribe = SubscribeError.SubscribeError.fromBroker("mail.goodbye", error)
      check(subscribe, isRetryable, [...words, "mail.goodbye"])
      travels(SubscribeError.SubscribeError, subscribe)
      const letters = new DeadLettersError.DeadLettersError({ source: "mail.goodbye", reason })
      check(letters, isRetryable, [...words, "mail.goodbye"])
      const unavailable = new PublishReason.Unavailable({ cause: reason })
      // Of the reasons why a publish is not sent only a lost connection heals by itself.
      assert.strictEqual(unavailable.isRetryable, tag === "Connection")
      assert.include(unavailable.message, "nothing was sent")
    })
  }

  for (const [tag, [reason, isRetryable, words]] of Object.entries(publish)) {
    it(`P2, N10: publish, ${tag}: says whether anything was sent, and the remedy`, () => {
      const error = new PublishError.PublishError({ event: "a.b", id: "id-1", reason })
      assert.strictEqual(error.reason._tag, tag)
      check(error, isRetryable, [...words, "a.b", "id-1", tag])
      travels(PublishError.PublishError, error)
      assert.isTrue(PublishError.isPublishError(error))
    })
  }

  for (const [tag, [reason, isRetryable, words]] of Object.entries(cache)) {
    it(`D3: cache, ${tag}: names the remedy`, () => {
      const error = new CacheError.CacheError({ reason })
      assert.strictEqual(error.reason._tag, tag)
      check(error, isRetryable, words)
      travels(CacheError.CacheError, error)
    })
  }

  it("M1: an error of an event names the path and the remedy", () => {
    check(InvalidEvent.of("a.b", "data.n", "a number"), undefined, ["a.b", "data.n", "a number"])
    check(new UnknownVersion({ event: "a.b", version: 4, known: 3 }), undefined, ["a.b", "4", "3", "deploy", "replay"])
    check(new UnknownEvent({ event: "a.b" }), undefined, ["a.b", "add its contract"])
    check(new EventDefinitionError({ event: "A", problem: "capitals", remedy: "Use a-z" }), undefined, ["A", "Use a-z"])
    const option = { option: "prefetch", problem: "0 is none", remedy: "Give 1 or more" }
    check(
      new SubscribeError.SubscribeError({ subscriber: "s", reason: new SubscribeError.SubscriberInvalid(option) }),
      false,
      Object.values(option)
    )
  })
})

describe("messages", () => {
  const many = Object.fromEntries(
    Array.from({ length: 100 }, (_, n) => [`field-${"x".repeat(100)}-${n}`, Schema.Finite])
  )
  const Wide = Event.make("errors.wide", { version: 1, data: Schema.Struct(many) })
  const Free = Event.make("errors.free", { version: 1, data: Schema.Record(Schema.String, Schema.Finite) })
  const long = "y".repeat(100_000)

  it.effect("P13: are bounded, whatever values they quote, and still end with the remedy", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const broken = Object.fromEntries(Object.keys(many).map((name) => [name, Number.NaN]))
      const errors: ReadonlyArray<Error> = yield* Effect.all([
        Effect.flip(bus.publish(Wide, broken)),
        Effect.flip(bus.publish(Free, { [long]: Number.NaN })),
        Effect.flip(bus.publish(Free, {}, { id: long })),
        Effect.flip(bus.publish(Free, {}, { key: long })),
        Effect.flip(bus.publish(Free, {}, { headers: { [long]: "x" } })),
        Effect.flip(bus.publish(Free, {}, { correlationId: long }))
      ])
      for (const { message } of errors) {
        assert.isAtMost(message.length, 1024, message.slice(0, 200))
        assert.include(message, "nothing was sent")
      }
      const subscribing = bus.subscribe(long, { events: [Free], handler: () => Effect.void })
      assert.isAtMost((yield* Effect.flip(Effect.scoped(subscribing))).message.length, 1024)
      const foreign = EventGroup.make(Free).decode(
        Buffer.from(
          JSON.stringify({ specversion: "1.0", id: "i", source: "s", type: `a.${"b".repeat(190)}`, data: {} })
        )
      )
      assert.isTrue(Result.isFailure(foreign) && foreign.failure.message.length <= 1024)
    }).pipe(Effect.provide(EventBus.layerMemory()))
  )
})
