/**
 * Moves a running service step by step, while an old producer and an old consumer go on, and counts every event. An event is
 * paid when its publish has succeeded; it is handled each time that a handler has ended, in the old service or in the new one.
 */
import { assert } from "@effect/vitest"
import type { PromiseEventBus, PromiseSubscription } from "@eduflow/events"
import { connect } from "amqplib"
import { type Book, newProducer, readEvents } from "../../examples/migrate/orders.ts"

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** Repeats until the condition holds; the time limit of the test ends it otherwise. */
export const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await sleep(10)
}

export type Side = "old" | "new"

export class Ledger {
  readonly paid: Array<string> = []
  readonly handled: Array<{ readonly side: Side; readonly orderId: string; readonly id: string }> = []

  /** A handler of one side. It takes a moment, so that some are at work whenever a service stops. */
  book(side: Side): Book {
    return async (orderId, id) => {
      await sleep(3)
      this.handled.push({ side, orderId, id })
    }
  }

  /** Pays orders one after the other until it is stopped. */
  payWith(name: string, pay: (orderId: string) => Promise<unknown>): { readonly stop: () => Promise<void> } {
    let isRunning = true
    const run = async (): Promise<void> => {
      for (let n = 1; isRunning; n++) {
        const orderId = `${name}-${n}`
        await pay(orderId)
        this.paid.push(orderId)
        await sleep(1)
      }
    }
    const done = run()
    return {
      stop: async () => {
        isRunning = false
        await done
      }
    }
  }

  count(side: Side, prefix: string): number {
    return this.handled.filter((entry) => entry.side === side && entry.orderId.startsWith(prefix)).length
  }

  /** Waits until this side has handled this many more orders of a producer. */
  async moves(side: Side, prefix: string, more = 30): Promise<void> {
    const before = this.count(side, prefix)
    await until(() => this.count(side, prefix) >= before + more)
  }

  get lost(): ReadonlyArray<string> {
    const handled = new Set(this.handled.map(({ orderId }) => orderId))
    return this.paid.filter((orderId) => !handled.has(orderId))
  }

  /** The ids under which each order was handled that was handled more than once. */
  get doubles(): ReadonlyArray<ReadonlyArray<string>> {
    return [...Map.groupBy(this.handled, ({ orderId }) => orderId).values()]
      .filter((entries) => entries.length > 1)
      .map((entries) => [...new Set(entries.map(({ id }) => id))])
  }
}

export interface OldSystem {
  readonly oldConsumer: (url: string, book: Book) => Promise<{ readonly stop: () => Promise<void> }>
  readonly oldProducer: (url: string) => Promise<{
    readonly pay: (orderId: string) => Promise<unknown>
    readonly stop: () => Promise<void>
  }>
  readonly payInOldForm: (bus: PromiseEventBus) => (orderId: string) => Promise<unknown>
  readonly readOldQueue: (bus: PromiseEventBus, book: Book) => Promise<PromiseSubscription>
}

/** Deletes what the old services declared. */
export const removeOld = async (
  url: string,
  queues: ReadonlyArray<string>,
  exchanges: ReadonlyArray<string> = []
): Promise<void> => {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  for (const queue of queues) await channel.deleteQueue(queue)
  for (const exchange of exchanges) await channel.deleteExchange(exchange)
  await connection.close()
}

const isEmpty = async (url: string, queue: string): Promise<boolean> => {
  const connection = await connect(url)
  const { messageCount } = await (await connection.createChannel()).checkQueue(queue)
  await connection.close()
  return messageCount === 0
}

/** The steps of the guide. Resolves to the ledger once everything that was paid is handled. */
export const rehearse = async (
  { oldConsumer, oldProducer, payInOldForm, readOldQueue }: OldSystem,
  { bus, queue, url }: { readonly bus: PromiseEventBus; readonly queue: string; readonly url: string }
): Promise<Ledger> => {
  const ledger = new Ledger()
  const consumer = await oldConsumer(url, ledger.book("old"))
  const producer = await oldProducer(url)
  const oldPaying = ledger.payWith("theirs", producer.pay)
  await ledger.moves("old", "theirs")
  // A new producer that comes first writes in the old form.
  const early = ledger.payWith("early", payInOldForm(bus))
  await ledger.moves("old", "early")
  // 1. The new consumer beside the old one.
  const old = await readOldQueue(bus, ledger.book("new"))
  await Promise.all([ledger.moves("new", "theirs"), ledger.moves("new", "early"), ledger.moves("old", "theirs")])
  // 2. The old consumer ends in the middle of its work.
  await consumer.stop()
  await ledger.moves("new", "theirs")
  // 3. Somebody listens to the new events before somebody publishes them.
  const subscription = await readEvents(bus, ledger.book("new"))
  const ours = ledger.payWith("ours", newProducer(bus))
  await Promise.all([ledger.moves("new", "ours"), ledger.moves("new", "theirs")])
  // 4. Nobody publishes in the old form any more.
  await Promise.all([oldPaying.stop(), early.stop()])
  await producer.stop()
  // 5. The old queue ends when it is empty.
  await until(() => isEmpty(url, queue))
  assert.isTrue(await old.drain())
  await removeOld(url, [queue])
  await ledger.moves("new", "ours")
  await ours.stop()
  await until(() => ledger.lost.length === 0)
  assert.isTrue(await subscription.drain())
  return ledger
}
