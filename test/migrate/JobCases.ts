/** Jobs of a real BullMQ queue become events: those that wait, are delayed, or have failed, and what stays is reported. Run by Migrate.test.ts. */
import { Redis } from "ioredis"
import { assert, it } from "vitest"
import { createEventBus, Reject } from "../../src/index.ts"
import { freshNamespace, rabbitUrl, redisUrl } from "../support/live.ts"
import { Ledger, until } from "./Rehearsal.ts"

export const jobCases = (): void => {
  const open = () =>
    createEventBus({ url: rabbitUrl(), namespace: freshNamespace(), source: "billing", allowPlaintext: true })

  /** A queue of BullMQ, and what belongs to it. */
  const jobs = async () => {
    const old = await import("../../examples/migrate/bullmq.ts")
    const { OrderPaid } = await import("../../examples/migrate/orders.ts")
    const redis = new Redis(redisUrl(), { maxRetriesPerRequest: null })
    const connection = { url: redisUrl(), maxRetriesPerRequest: null }
    const name = freshNamespace()
    return { ...old, OrderPaid, connection, name, queue: old.oldQueue(name, connection), redis }
  }

  it("P1: move while old producers and a worker run, and none is lost", async () => {
    await using bus = await open()
    const { connection, moveJobs, name, oldWorker, OrderPaid, queue, redis } = await jobs()
    const ledger = new Ledger()
    const book = ledger.book("old")
    const worker = oldWorker(name, connection, async (orderId, id) => {
      if (orderId.startsWith("bad")) throw new Error("no such order")
      await book(orderId, id)
    })
    await queue.add("paid", { orderId: "bad-1" })
    await until(async () => (await queue.getFailedCount()) === 1)
    await bus.subscribe("billing.orders", {
      events: [OrderPaid],
      handler: async (event, { headers }) => {
        if (headers["bullmq-failed"] !== undefined) throw new Reject({ reason: String(headers["bullmq-failed"]) })
        await ledger.book("new")(event.data.orderId, event.id)
      }
    })
    const paying = ledger.payWith("job", (orderId) => queue.add("paid", { orderId }))
    await ledger.moves("old", "job")
    // Producers move first: a queue that still fills is never empty.
    const first = moveJobs(queue, redis, bus)
    await until(() => queue.isPaused())
    const waiting = (await queue.getWaitingCount()) + 20
    await until(async () => (await queue.getWaitingCount()) >= waiting || ledger.count("new", "job") > 20)
    await paying.stop()
    await first
    const { left } = await moveJobs(queue, redis, bus)
    assert.deepStrictEqual(left, [])
    await until(() => ledger.lost.length === 0)
    assert.isAbove(ledger.count("old", "job"), 0)
    assert.isAbove(ledger.count("new", "job"), 0)
    assert.deepStrictEqual(
      ledger.doubles.filter((ids) => ids.length > 1),
      []
    )
    await until(async () => (await bus.deadLetters.count("billing.orders")) === 1)
    const [letter] = await bus.deadLetters.list("billing.orders")
    assert.deepInclude(letter, { eventId: `${name}.1`, reason: "Rejected" })
    assert.include(letter?.error.message, "no such order")
    await worker.close()
    await queue.obliterate()
    await queue.close()
    redis.disconnect()
  })

  it("delayed jobs come when they are due, also those whose delay was changed; what stays is reported", async () => {
    await using bus = await open()
    const { connection, moveJobs, name, oldFlows, OrderPaid, queue, redis } = await jobs()
    const ledger = new Ledger()
    const came = new Map<string, number>()
    await bus.subscribe("billing.orders", {
      events: [OrderPaid],
      handler: async (event) => {
        came.set(event.data.orderId, Date.now())
        await ledger.book("new")(event.data.orderId, event.id)
      }
    })
    const begin = Date.now()
    await queue.add("paid", { orderId: "soon" }, { delay: 3_000 })
    // Its fields say that it was due a second after its creation, which was long ago.
    const changed = await queue.add("paid", { orderId: "changed" }, { delay: 60_000, timestamp: begin - 600_000 })
    await changed.changeDelay(5_000)
    await queue.add("paid", { orderId: "first" }, { priority: 3 })
    await queue.add("paid", { orderId: "late" }, { delay: 20 * 24 * 3_600_000, jobId: "late" })
    await queue.upsertJobScheduler("daily", { every: 3_600_000 }, { name: "paid", data: { orderId: "daily" } })
    const flows = oldFlows(connection)
    await flows.add({
      name: "paid",
      queueName: name,
      data: { orderId: "parent" },
      opts: { jobId: "parent" },
      children: [{ name: "paid", queueName: name, data: { orderId: "child" }, opts: { jobId: "child" } }]
    })
    const { left, published } = await moveJobs(queue, redis, bus)
    assert.strictEqual(published, 3)
    assert.deepStrictEqual(
      left.map(({ job, why }) => [job.replace(/^repeat:daily:\d+$/, "daily"), why.split(":")[0]]).toSorted(),
      [
        ["child", "its parent waits for it"],
        ["daily", "a scheduler adds it again and again"],
        ["late", "it is due in more than 12 days"],
        ["parent", "its children are not done"]
      ]
    )
    await until(() => came.size === 3)
    assert.isAtLeast(came.get("soon")! - begin, 3_000)
    assert.isAtLeast(came.get("changed")! - begin, 5_000)
    assert.isBelow(came.get("first")!, came.get("soon")!)
    // Moved again after a failure: nothing is left of what was moved.
    assert.strictEqual((await moveJobs(queue, redis, bus)).published, 0)
    await flows.close()
    await queue.obliterate({ force: true })
    await queue.close()
    redis.disconnect()
  })
}
