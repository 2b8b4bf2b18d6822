/**
 * From the header `x-delay`. The plugin is archived and is not installed here: an exchange of its inner kind stands for it, with
 * what it hands out, a negative header, and with what reaches an exchange that has lost the plugin, a positive one.
 */
import { connect } from "amqplib"
import { afterEach, assert, it } from "vitest"
import { readEvents } from "../../examples/migrate/orders.ts"
import { readReminders, remindLater } from "../../examples/migrate/delayed.ts"
import { createEventBus } from "../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { Ledger, removeOld, until } from "./Rehearsal.ts"

const delay = 2_000

describeLive(
  "messages with x-delay",
  () => {
    const exchange = `reminders.${freshNamespace()}`
    afterEach(() => removeOld(rabbitUrl(), [], [exchange]))

    it("P1, P3: come once and not too early, from old producers and from new ones", async () => {
      const connection = await connect(rabbitUrl())
      const channel = await connection.createConfirmChannel()
      await channel.assertExchange(exchange, "topic", { durable: true })
      await using bus = await createEventBus({
        url: rabbitUrl(),
        namespace: freshNamespace(),
        source: "billing",
        allowPlaintext: true
      })
      const ledger = new Ledger()
      const came = new Map<string, number>()
      const book = async (orderId: string, id: string): Promise<void> => {
        came.set(orderId, Date.now())
        await ledger.book("new")(orderId, id)
      }
      await readReminders(bus, exchange, book)
      await readEvents(bus, book)
      const due = new Map<string, number>()
      const send = async (orderId: string, headers: Record<string, number>): Promise<void> => {
        due.set(orderId, Date.now() + Math.max(0, headers["x-delay"] ?? 0))
        channel.publish(exchange, "order.paid", Buffer.from(JSON.stringify({ orderId })), { persistent: true, headers })
        await channel.waitForConfirms()
        ledger.paid.push(orderId)
      }
      for (let n = 1; n <= 10; n++) {
        await send(`waits-${n}`, { "x-delay": delay })
        await send(`waited-${n}`, { "x-delay": -delay })
        await send(`plain-${n}`, {})
        due.set(`ours-${n}`, Date.now() + delay)
        await remindLater(bus, `ours-${n}`, delay)
        ledger.paid.push(`ours-${n}`)
      }
      await until(() => ledger.lost.length === 0)
      assert.deepStrictEqual(ledger.doubles, [])
      assert.deepStrictEqual(
        ledger.handled.filter(({ id, orderId }) => id !== orderId),
        []
      )
      const early = [...due].filter(([orderId, time]) => (came.get(orderId) ?? 0) < time)
      assert.deepStrictEqual(early, [])
      await connection.close()
    })
  },
  ["rabbit"]
)
