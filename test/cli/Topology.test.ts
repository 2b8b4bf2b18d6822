/** `eventbus topology` on a real RabbitMQ: what it says is what the broker has, as text and as JSON. */
import { assert, it } from "@effect/vitest"
import { type Channel, connect } from "amqplib"
import { Effect, Schedule, Schema } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as Reports from "../../src/operations/TopologyReports.ts"
import { Event, EventBus } from "../../src/index.ts"
import { describeLive, freshNamespace } from "../support/live.ts"
import { freePort } from "../support/Port.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { eventbus, reported, type Settings } from "./Eventbus.ts"

const Posted = Event.make("test.posted", { version: 1, data: Schema.Struct({ text: Schema.String }) })
const contracts = ["--contracts", new URL("./topologyContracts.ts", import.meta.url).pathname]

describeLive(
  "topology on RabbitMQ",
  () => {
    let node: RabbitNode
    let management: ReadonlyArray<string> = []
    beforeAll(async () => {
      const port = await freePort()
      const conf = { "management.tcp.port": String(port), collect_statistics_interval: "500" }
      node = await startRabbit({ plugins: ["rabbitmq_management"], conf })
      management = ["--management", `http://127.0.0.1:${port}`]
    })
    afterAll(() => node?.stop())

    const settings = (namespace: string, more: Settings = {}): Settings => ({
      EVENTBUS_URL: node.url,
      EVENTBUS_NAMESPACE: namespace,
      ...more
    })
    const decoded = <S extends Schema.Codec<unknown, unknown>>(schema: S) =>
      Effect.fnUntraced(function* (namespace: string, ...args: ReadonlyArray<string>) {
        const { code, report } = yield* reported(settings(namespace), "topology", ...args, ...contracts)
        return { code, report: yield* Schema.decodeUnknownEffect(schema)(report) }
      })
    const plan = decoded(Reports.Plan)
    const apply = decoded(Reports.Apply)
    const verify = decoded(Reports.Verify)
    const retire = decoded(Reports.Retire)

    const onChannel = <A>(use: (channel: Channel) => Promise<A>) =>
      Effect.promise(async () => {
        const model = await connect(node.url)
        const channel = await model.createConfirmChannel()
        const result = await use(channel)
        await model.close()
        return result
      })
    const put = (queue: string) =>
      onChannel(async (channel) => {
        channel.sendToQueue(queue, Buffer.from("{}"), { persistent: true })
        while ((await channel.checkQueue(queue)).messageCount === 0);
      })
    const queuesOf = (namespace: string) =>
      Effect.map(
        Effect.promise(() => node.ctl("list_queues", "name", "--no-table-headers")),
        (text) => text.split("\n").filter((name) => name.startsWith(`${namespace}.`))
      )
    /** What the API says of queues is as old as their last statistics. */
    const until = <A, E>(look: Effect.Effect<A, E>, is: (found: A) => boolean) =>
      Effect.repeat(look, { until: is, schedule: Schedule.spaced("100 millis") })

    it.live("plans what a namespace lacks, declares it, and finds nothing to do then", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        const planned = yield* plan(namespace, "plan", ...management)
        assert.strictEqual(planned.code, 0)
        assert.deepStrictEqual(yield* queuesOf(namespace), [])
        const { cost, differences } = planned.report
        assert.isTrue(differences.every(({ kind }) => kind === "missing" || kind === "unbound"))
        assert.strictEqual(cost.missingQueues, cost.quorumQueues)
        assert.strictEqual(cost.handles, cost.quorumQueues * 3)
        const counted = yield* until(
          plan(namespace, "plan", ...management),
          ({ report }) => report.cost.nodeHandles !== null
        )
        assert.isAbove(counted.report.cost.nodeHandles ?? 0, 0)
        const words = yield* eventbus(settings(namespace), "topology", "plan", ...contracts)
        assert.include(words.out, `+ queue ${namespace}.parked.mailer: it does not exist`)
        assert.include(words.out, `${cost.quorumQueues} quorum queues, ${cost.quorumQueues} of them are missing`)
        assert.include(words.out, "not seen bindings")
        // Without the management API what is bound to a missing queue is known all the same.
        const blind = yield* plan(namespace, "plan")
        assert.deepStrictEqual(blind.report.differences.toSorted(byEntity), differences.toSorted(byEntity))

        const refused = yield* verify(namespace, "verify")
        assert.deepStrictEqual([refused.code, refused.report.matches], [4, false])

        const applied = yield* apply(namespace, "apply", ...management)
        assert.strictEqual(applied.code, 0)
        assert.deepStrictEqual(applied.report.differences, [])
        assert.strictEqual(applied.report.declared.length, differences.length)
        assert.strictEqual((yield* queuesOf(namespace)).length, cost.quorumQueues)
        for (const args of [[], management]) {
          const verified = yield* verify(namespace, "verify", ...args)
          assert.deepStrictEqual([verified.code, verified.report.differences], [0, []])
        }
        const again = yield* eventbus(settings(namespace), "topology", "apply", ...contracts)
        assert.deepStrictEqual([again.code, again.err], [0, ""])
        assert.include(again.out, "everything was declared already")
      })
    )

    it.live("a service of the same contracts finds its objects, and verify what a service has declared", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        yield* apply(namespace, "apply")
        const start = Effect.gen(function* () {
          const bus = yield* EventBus
          const { subscribers } = yield* Effect.promise(() => import("./topologyContracts.ts"))
          for (const { name, ...options } of subscribers)
            // What the module lists is what `subscribe` takes, but for the handler.
            yield* bus.subscribe(name, { ...options, handler: () => Effect.void } as Parameters<
              typeof bus.subscribe
            >[1])
          return yield* verify(namespace, "verify", ...management)
        })
        const layer = EventBus.layerAmqp({ url: node.url, namespace, topology: "verify" })
        const { code, report } = yield* Effect.provide(start, layer)
        assert.deepStrictEqual([code, report.differences], [0, []])
      })
    )

    it.live("each difference has its kind and what mends it", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        yield* apply(namespace, "apply")
        yield* onChannel(async (channel) => {
          const quorum = { arguments: { "x-queue-type": "quorum" } }
          await channel.deleteQueue(`${namespace}.dead.auditor`)
          await channel.deleteQueue(`${namespace}.sub.auditor`)
          await channel.assertQueue(`${namespace}.sub.auditor`, quorum)
          await channel.unbindQueue(`${namespace}.sub.mailer`, `${namespace}.events`, "test.graded")
          await channel.bindQueue(`${namespace}.sub.mailer`, `${namespace}.events`, "test.dropped")
          await channel.assertQueue(`${namespace}.sub.gone`, quorum)
        })
        const { code, report } = yield* until(
          verify(namespace, "verify", ...management),
          ({ report: { differences } }) => differences.some(({ entity }) => entity.endsWith(".gone"))
        )
        assert.strictEqual(code, 4)
        const kinds = report.differences.map(({ entity, kind }) => `${kind} ${entity.replaceAll(namespace, "ns")}`)
        assert.includeMembers(kinds, [
          "missing queue ns.dead.auditor",
          "different queue ns.sub.auditor",
          "unbound binding of ns.sub.mailer to ns.events",
          "orphaned-binding binding of ns.sub.mailer to ns.events",
          "orphaned-queue queue ns.sub.gone"
        ])
        const mendOf = (kind: string) => report.differences.find((difference) => difference.kind === kind)?.mend
        assert.strictEqual(
          mendOf("orphaned-binding"),
          "eventbus topology retire event test.dropped --subscriber mailer"
        )
        assert.strictEqual(mendOf("orphaned-queue"), "eventbus topology retire subscriber gone")
        const words = yield* eventbus(settings(namespace), "topology", "verify", ...contracts, ...management)
        for (const { entity, mend, seen } of report.differences) {
          assert.include(words.out, `${entity}: ${seen}`)
          if (mend !== "eventbus topology apply") assert.include(words.out, `> ${mend}`)
        }
        // What differs is not mended by declaring it.
        const applied = yield* reported(settings(namespace), "topology", "apply", ...contracts)
        assert.deepStrictEqual([applied.code, applied.report["error"]], [1, "BrokerError"])
      })
    )

    it.live("retires a subscriber: dry, refused while it is consumed or holds something, then with --yes", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        yield* apply(namespace, "apply")
        const before = yield* queuesOf(namespace)
        const args = ["retire", "subscriber", "auditor", ...management]
        const dry = yield* retire(namespace, ...args)
        assert.deepStrictEqual([dry.code, dry.report.dryRun, dry.report.blocked], [0, true, []])
        assert.isTrue(dry.report.steps.every(({ done }) => !done))
        assert.deepStrictEqual(yield* queuesOf(namespace), before)

        const consumed = yield* onChannel(async (channel) => {
          await channel.consume(`${namespace}.sub.auditor`, () => {})
          return Effect.runPromise(retire(namespace, ...args, "--yes"))
        })
        assert.strictEqual(consumed.code, 4)
        assert.include(consumed.report.blocked.join(), "1 consumer of queue")

        yield* put(`${namespace}.dead.auditor`)
        const held = yield* retire(namespace, ...args, "--yes")
        assert.strictEqual(held.code, 4)
        assert.include(held.report.blocked.join(), "eventbus dead-letters export auditor")
        assert.deepStrictEqual(yield* queuesOf(namespace), before)
        const words = yield* eventbus(settings(namespace), "topology", ...args, ...contracts, "--yes")
        for (const reason of held.report.blocked) assert.include(words.out, `blocked ${reason}`)

        const done = yield* retire(namespace, ...args, "--yes", "--with-contents")
        assert.deepStrictEqual([done.code, done.report.blocked], [0, []])
        assert.isTrue(done.report.steps.every(({ done: isDone }) => isDone))
        const gone = [`${namespace}.dead.auditor`, `${namespace}.sub.auditor`]
        assert.sameMembers(
          yield* queuesOf(namespace),
          before.filter((name) => !gone.includes(name))
        )
        const nothing = yield* eventbus(settings(namespace), "topology", ...args, "--yes")
        assert.include(nothing.out, "nothing of subscriber auditor is there")
      })
    )

    it.live("without the management API it retires what the contracts name, and refuses what is not known", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        yield* apply(namespace, "apply")
        const unknown = yield* reported(settings(namespace), "topology", "retire", "subscriber", "auditor", "--yes")
        assert.strictEqual(unknown.code, 4)
        assert.include(JSON.stringify(unknown.report["blocked"]), "what is bound is not known")
        const space = yield* retire(namespace, "retire", "namespace", "--yes")
        assert.strictEqual(space.code, 4)
        yield* onChannel((channel) => channel.deleteQueue(`${namespace}.dead.auditor`))
        const stuck = yield* retire(namespace, "retire", "subscriber", "auditor", "--yes")
        assert.include(stuck.report.blocked.join(), "may be stuck")
        yield* apply(namespace, "apply")
        const done = yield* retire(namespace, "retire", "subscriber", "auditor", "--yes")
        assert.deepStrictEqual([done.code, done.report.blocked], [0, []])
        assert.notInclude(yield* queuesOf(namespace), `${namespace}.sub.auditor`)
      })
    )

    it.live("retires an event: it is unbound where it is named, and what is queued stays", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        yield* apply(namespace, "apply")
        const publish = Effect.scoped(
          Effect.gen(function* () {
            const live = yield* EventBus
            return yield* live.publish(Posted, { text: "a" })
          }).pipe(Effect.provide(EventBus.layerAmqp({ url: node.url, namespace })))
        )
        assert.isTrue((yield* publish).routed)
        const args = ["retire", "event", "test.posted"]
        const dry = yield* retire(namespace, ...args, ...management)
        assert.deepStrictEqual([dry.code, dry.report.dryRun, dry.report.steps.length], [0, true, 2])
        assert.isTrue((yield* publish).routed)
        const done = yield* retire(namespace, ...args, ...management, "--yes")
        assert.isTrue(done.code === 0 && done.report.steps.every((step) => step.done))
        assert.include(done.report.notes.join(), "the contracts of mailer still list it")
        assert.isFalse((yield* publish).routed)
        assert.strictEqual(
          yield* onChannel(async (channel) => (await channel.checkQueue(`${namespace}.sub.mailer`)).messageCount),
          2
        )
        // The same without the management API, and only where it was asked for.
        yield* apply(namespace, "apply")
        yield* retire(namespace, ...args, "--subscriber", "auditor", "--yes")
        assert.isTrue((yield* publish).routed)
        yield* retire(namespace, ...args, "--subscriber", "mailer", "--yes")
        assert.isFalse((yield* publish).routed)
        const byPattern = yield* retire(namespace, "retire", "event", "other.opened", ...management)
        assert.include(byPattern.report.notes.join(), "by the pattern other.#")
      })
    )

    it.live("retires a namespace and nothing of another one", () =>
      Effect.gen(function* () {
        const [namespace, other] = [freshNamespace(), freshNamespace()]
        yield* apply(namespace, "apply")
        yield* apply(other, "apply")
        const args = ["retire", "namespace", ...management]
        yield* put(`${namespace}.sub.mailer`)
        const held = yield* retire(namespace, ...args, "--yes")
        assert.strictEqual(held.code, 4)
        const done = yield* retire(namespace, ...args, "--yes", "--with-contents")
        assert.deepStrictEqual([done.code, done.report.blocked], [0, []])
        assert.deepStrictEqual(yield* queuesOf(namespace), [])
        const exchanges = yield* Effect.promise(() => node.ctl("list_exchanges", "name"))
        assert.notInclude(exchanges, `${namespace}.`)
        const verified = yield* verify(other, "verify", ...management)
        assert.deepStrictEqual([verified.code, verified.report.differences], [0, []])
      })
    )

    it.live("says which right is missing, and changes nothing where the embedded bus is meant", () =>
      Effect.gen(function* () {
        const namespace = freshNamespace()
        yield* apply(namespace, "apply")
        const url = yield* Effect.promise(() => node.addUser("reader", "pw", { configure: "^$", write: "^$" }))
        const by = settings(namespace, { EVENTBUS_URL: url })
        const denied = yield* reported(by, "topology", "retire", "subscriber", "auditor", ...contracts, "--yes")
        assert.strictEqual(denied.code, 1)
        assert.include(String(denied.report["message"]), "reader")
        const embedded = yield* eventbus({ EVENTBUS_URL: "memory://" }, "topology", "plan", ...contracts)
        assert.strictEqual(embedded.code, 2)
      })
    )
  },
  ["rabbitNode"]
)

const byEntity = (one: { readonly entity: string; readonly seen: string }, other: typeof one): number =>
  `${one.entity} ${one.seen}` < `${other.entity} ${other.seen}` ? -1 : 1
