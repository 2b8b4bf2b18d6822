/**
 * Returns are spent with care: every end of a consumer takes a life of what it held, and an event has
 * twenty. Deploys and broken lines must never dead-letter an innocent one (P3).
 */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type Bench, openBench, orders, until, upTo } from "./Bench.ts"
import type { Ending, Service } from "./Process.ts"

const drained: Ending = { code: 0, signal: null }

const handledBy = (services: ReadonlyArray<Service>): ReadonlySet<number> =>
  new Set(services.flatMap((service) => service.of("handled").map(({ n = -1 }) => n)))

const allHandled = (services: ReadonlyArray<Service>, total: number): Promise<void> =>
  until(
    () => `${handledBy(services).size} of ${total} handled`,
    () => handledBy(services).size === total,
    60
  )

describeLive(
  "returns",
  () => {
    let bench: Bench
    beforeAll(async () => void (bench = await openBench(rabbitUrl(), freshNamespace())))
    afterAll(() => bench[Symbol.asyncDispose]())

    for (const ordering of ["none", "key"] as const) {
      it.concurrent(`C12, P3: 25 rolling deploys with a backlog: no dead letter, nothing twice, a life for a deploy at most, ordering "${ordering}"`, async () => {
        await using test = bench.begin()
        const deploys = 25
        const batch = 30
        const batchOf = (from: number) =>
          orders(batch, { ms: 80 }, from).map((order) => ({ ...order, k: `k${order.n % 40}` }))
        const options = { ordering, watch: true, concurrency: 2, prefetch: 20, drain: 10_000 }
        const services = [test.service(options)]
        let old = services[0]!
        let published = 0
        for (; published < deploys * batch; published += batch) {
          await old.says("ready")
          const next = test.service(options)
          services.push(next)
          await next.says("ready")
          // Only now: however long a start took, the old one has a window of events that were not started.
          await test.publish(batchOf(published))
          await old.says("started", 3)
          old.terminate()
          assert.deepStrictEqual(await old.ended, drained, old.told())
          old = next
        }
        old.terminate()
        assert.deepStrictEqual(await old.ended, drained, old.told())
        const last = test.service({ ...options, concurrency: 50, prefetch: 250 })
        services.push(last)
        await last.says("ready")
        await allHandled(services, published)
        last.terminate()
        assert.deepStrictEqual(await last.ended, drained)
        await test.rests(0)
        assert.strictEqual(await bench.bus.deadLetters.count(test.subscriber), 0)
        assert.lengthOf(
          services.flatMap((service) => service.of("handled")),
          published
        )
        // They ended one after the other: each took one life of what it had, and none of what it had not.
        const counts = new Map<string, { readonly count: number; readonly ended: number }>()
        for (const [ended, service] of services.entries()) {
          for (const { count = 0, id = "" } of service.of("delivered")) {
            const before = counts.get(id)
            assert.isAtMost(count - (before?.count ?? 0), ended - (before?.ended ?? 0), `${id} paid twice for one end`)
            counts.set(id, { count, ended })
          }
        }
        const most = Math.max(...Array.from(counts.values(), ({ count }) => count))
        assert.isAbove(most, 0, "nothing was given back: this shows nothing")
      }, 120_000)
    }

    it.concurrent("C12, P3: what never gets to run through 12 deploys keeps half of its lives, and is handled in the end", async () => {
      await using test = bench.begin()
      // Each process has one order that keeps it busy until it ends, and room for exactly the three that wait.
      const options = { watch: true, concurrency: 1, prefetch: 3, drain: 10_000 }
      const keepBusy = (n: number) => test.publish(orders(1, { act: "linger" }, 1000 + n))
      const waiting = new Set<string>()
      const services = [test.service(options)]
      let old = services[0]!
      await old.says("ready")
      await keepBusy(0)
      await old.says("started")
      await test.publish(orders(3))
      await old.says("delivered", 4)
      for (const { id = "" } of old.of("delivered").slice(1)) waiting.add(id)
      for (let deploy = 1; deploy <= 12; deploy++) {
        await keepBusy(deploy)
        const next = test.service(options)
        services.push(next)
        await next.says("started")
        old.terminate()
        assert.deepStrictEqual(await old.ended, drained, old.told())
        await until(
          () => `deploy ${deploy}: those that wait do not come: ${next.told()}`,
          () => [...waiting].every((id) => next.of("delivered").some((line) => line.id === id))
        )
        old = next
      }
      const counts = services.flatMap((service) => service.of("delivered").map(({ count = 0 }) => count))
      assert.isAtMost(Math.max(...counts), 10, "more than half of twenty lives")
      const last = test.service(options)
      await last.says("ready")
      old.terminate()
      assert.deepStrictEqual(await old.ended, drained, old.told())
      await until(
        () => "some are not handled",
        () => last.of("handled").length === 3
      )
      last.terminate()
      assert.deepStrictEqual(await last.ended, drained, last.told())
      await test.rests(0)
      assert.strictEqual(await bench.bus.deadLetters.count(test.subscriber), 0)
    }, 120_000)

    it.concurrent("P3, C12: fifteen broken lines under load: no dead letter", async () => {
      await using test = bench.begin()
      const total = 400
      const wires = await Promise.all([test.wire(), test.wire(), test.wire()])
      const services = wires.map(({ url }) => test.service({ url, watch: true, concurrency: 4, prefetch: 20 }))
      await Promise.all(services.map((service) => service.says("ready")))
      await test.publish(orders(total, { ms: 40 }))
      const flaps = services.map(async (service, i) => {
        for (let flap = 0; flap < 5; flap++) {
          const before = service.of("delivered").length
          await Promise.race([service.says("delivered", before + 2), allHandled(services, total)])
          wires[i]?.proxy.reset()
        }
      })
      await Promise.all(flaps)
      await allHandled(services, total)
      const counts = services.flatMap((service) => service.of("delivered").map(({ count = 0 }) => count))
      for (const service of services) service.terminate()
      for (const service of services) assert.deepStrictEqual(await service.ended, drained, service.told().slice(-2000))
      assert.deepStrictEqual(
        [...handledBy(services)].toSorted((a, b) => a - b),
        upTo(total)
      )
      assert.isAbove(Math.max(...counts), 0)
      await test.rests(0)
      assert.strictEqual(await bench.bus.deadLetters.count(test.subscriber), 0)
    }, 120_000)
  },
  ["rabbit"]
)
