/**
 * Each end of a consumer takes one life of every event that it held, and an event has twenty; from RabbitMQ 4.3 on an orderly
 * end of an unordered one takes none. Deploys and broken connections must never dead-letter an event that does no harm.
 */
import { connect } from "amqplib"
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type TestClient, openTestClient, orders, until, upTo } from "./TestClient.ts"
import type { Ending, Service } from "./ServiceProcess.ts"

const drained: Ending = { code: 0, signal: null }

const handledBy = (services: ReadonlyArray<Service>): ReadonlySet<number> =>
  new Set(services.flatMap((service) => service.of("handled").map(({ n = -1 }) => n)))

const isFrom43 = async (): Promise<boolean> => {
  const model = await connect(rabbitUrl())
  const [major = 0, minor = 0] = String(model.connection.serverProperties.version).match(/\d+/g)?.map(Number) ?? []
  await model.close()
  return 100 * major + minor >= 403
}

const allHandled = (services: ReadonlyArray<Service>, total: number): Promise<void> =>
  until(
    () => `${handledBy(services).size} of ${total} handled`,
    () => handledBy(services).size === total
  )

describeLive(
  "returns",
  () => {
    let client: TestClient
    beforeAll(async () => void (client = await openTestClient(rabbitUrl(), freshNamespace())))
    afterAll(() => client[Symbol.asyncDispose]())

    for (const ordering of ["none", "key"] as const) {
      it.concurrent(`C12, P3: 25 rolling deploys with a backlog: no dead letter, no event twice, at most one life for each deploy, ordering "${ordering}"`, async () => {
        await using test = client.begin()
        const deploys = 25
        const batch = 30
        const batchOf = (from: number) =>
          orders(batch, { ms: 80 }, from).map((order) => ({ ...order, k: `k${order.n % 40}` }))
        const options = { ordering, watch: true, concurrency: 2, prefetch: 20, drain: 10_000 }
        const services = [test.service(options)]
        let old = services[0]!
        let published = 0
        for (; published < deploys * batch; published += batch) {
          await old.waitFor("ready")
          const next = test.service(options)
          services.push(next)
          await next.waitFor("ready")
          // Published only now: however long the start took, the old process has a window of events that it has not started.
          await test.publish(batchOf(published))
          await old.waitFor("started", 3)
          old.terminate()
          assert.deepStrictEqual(await old.ended, drained, old.output())
          old = next
        }
        old.terminate()
        assert.deepStrictEqual(await old.ended, drained, old.output())
        const last = test.service({ ...options, concurrency: 50, prefetch: 250 })
        services.push(last)
        await last.waitFor("ready")
        await allHandled(services, published)
        last.terminate()
        assert.deepStrictEqual(await last.ended, drained)
        await test.waitForReady(0)
        assert.strictEqual(await client.bus.deadLetters.count(test.subscriber), 0)
        assert.lengthOf(
          services.flatMap((service) => service.of("handled")),
          published
        )
        // They ended one after the other: each took one life of the events that it held, and none of others.
        const counts = new Map<string, { readonly count: number; readonly ended: number }>()
        for (const [ended, service] of services.entries()) {
          for (const { count = 0, id = "" } of service.of("delivered")) {
            const before = counts.get(id)
            assert.isAtMost(
              count - (before?.count ?? 0),
              ended - (before?.ended ?? 0),
              `${id} lost two lives for one end`
            )
            counts.set(id, { count, ended })
          }
        }
        const delivered = services.reduce((sum, service) => sum + service.of("delivered").length, 0)
        assert.isAbove(delivered, published, "no event was given back: the test shows nothing")
        const most = Math.max(...Array.from(counts.values(), ({ count }) => count))
        if (ordering === "none" && (await isFrom43())) assert.strictEqual(most, 0)
        else assert.isAbove(most, 0)
      })
    }

    it.concurrent("C12, P3: an event that never starts through 12 deploys keeps half of its lives and is handled in the end", async () => {
      await using test = client.begin()
      // Each process has one order that keeps it busy until it ends, and room for exactly the three that wait.
      const options = { watch: true, concurrency: 1, prefetch: 3, drain: 10_000 }
      const keepBusy = (n: number) => test.publish(orders(1, { act: "linger" }, 1000 + n))
      const waiting = new Set<string>()
      const services = [test.service(options)]
      let old = services[0]!
      await old.waitFor("ready")
      await keepBusy(0)
      await old.waitFor("started")
      await test.publish(orders(3))
      await old.waitFor("delivered", 4)
      for (const { id = "" } of old.of("delivered").slice(1)) waiting.add(id)
      for (let deploy = 1; deploy <= 12; deploy++) {
        await keepBusy(deploy)
        const next = test.service(options)
        services.push(next)
        await next.waitFor("started")
        old.terminate()
        assert.deepStrictEqual(await old.ended, drained, old.output())
        await until(
          () => `deploy ${deploy}: the waiting events do not arrive: ${next.output()}`,
          () => [...waiting].every((id) => next.of("delivered").some((line) => line.id === id))
        )
        old = next
      }
      const counts = services.flatMap((service) => service.of("delivered").map(({ count = 0 }) => count))
      assert.isAtMost(Math.max(...counts), 10, "more than half of twenty lives")
      const last = test.service(options)
      await last.waitFor("ready")
      old.terminate()
      assert.deepStrictEqual(await old.ended, drained, old.output())
      await until(
        () => "events are not handled",
        () => last.of("handled").length === 3
      )
      last.terminate()
      assert.deepStrictEqual(await last.ended, drained, last.output())
      await test.waitForReady(0)
      assert.strictEqual(await client.bus.deadLetters.count(test.subscriber), 0)
    })

    it.concurrent("P3, C12: fifteen broken connections under load: no dead letter", async () => {
      await using test = client.begin()
      const total = 400
      const networks = await Promise.all([test.network(), test.network(), test.network()])
      const services = networks.map(({ url }) => test.service({ url, watch: true, concurrency: 4, prefetch: 20 }))
      await Promise.all(services.map((service) => service.waitFor("ready")))
      await test.publish(orders(total, { ms: 40 }))
      const flaps = services.map(async (service, i) => {
        for (let flap = 0; flap < 5; flap++) {
          const before = service.of("delivered").length
          await Promise.race([service.waitFor("delivered", before + 2), allHandled(services, total)])
          networks[i]?.proxy.reset()
        }
      })
      await Promise.all(flaps)
      await allHandled(services, total)
      const counts = services.flatMap((service) => service.of("delivered").map(({ count = 0 }) => count))
      for (const service of services) service.terminate()
      for (const service of services)
        assert.deepStrictEqual(await service.ended, drained, service.output().slice(-2000))
      assert.deepStrictEqual(
        [...handledBy(services)].toSorted((a, b) => a - b),
        upTo(total)
      )
      assert.isAbove(Math.max(...counts), 0)
      await test.waitForReady(0)
      assert.strictEqual(await client.bus.deadLetters.count(test.subscriber), 0)
    })
  },
  ["rabbit"]
)
