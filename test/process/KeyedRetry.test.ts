/** A keyed event waits a minute for its retry, and its process is stopped meanwhile: as in a deploy (P6, P7, P12). */
import { Schedule } from "effect"
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { type Order, orderOf } from "./Orders.ts"
import { numbersOf, openTestClient, type TestCase, type TestClient, until } from "./TestClient.ts"

const minute = 60_000

/** What is parked, by its number, when no process holds it any more. It is given back. */
const parkedOf = async ({ client, subscriber }: TestCase) => {
  const channel = await client.connection.createChannel()
  const queue = `${client.namespace}.parked.${subscriber}`
  let depth = await channel.checkQueue(queue)
  await until(
    () => `nothing is given back: ${JSON.stringify(depth)}`,
    async () => (depth = await channel.checkQueue(queue)).consumerCount === 0 && depth.messageCount > 0
  )
  const found: Array<{ readonly n: number; readonly attempt: number; readonly due: number | undefined }> = []
  for (;;) {
    const message = await channel.get(queue)
    if (message === false) break
    const { headers = {} } = message.properties
    const { data } = JSON.parse(message.content.toString()) as { readonly data: Order }
    const due: unknown = headers["bus-due"]
    found.push({
      n: data.n,
      attempt: Number(headers["bus-attempt"] ?? 1),
      due: due === undefined ? undefined : Number(due)
    })
  }
  await channel.close()
  return found.toSorted((one, other) => one.n - other.n)
}

const order = (n: number, k: string, act: Order["act"] = "work"): Order => ({ n, k, act, ms: 0 })

describeLive(
  "a deploy while a keyed event waits a minute for its retry",
  () => {
    let client: TestClient
    beforeAll(async () => void (client = await openTestClient(rabbitUrl(), freshNamespace())))
    afterAll(() => client[Symbol.asyncDispose]())

    /** The next process of the subscriber, which notes what it handles. */
    const next = async (test: TestCase) => {
      const handled: Array<{ readonly n: number; readonly attempt: number }> = []
      const subscription = await client.bus.subscribe(test.subscriber, {
        events: [orderOf(test.event)],
        ordering: "key",
        onBlocked: "park",
        retry: Schedule.spaced(minute),
        handler: ({ data: { n } }, { attempt }) => void handled.push({ n, attempt })
      })
      return { handled, subscription }
    }

    it("R4, C13, P3, P6, P7, P12: it is parked with its attempt and due time, runs at no time before it, and stops no other key", async () => {
      await using test = client.begin()
      const service = test.service({ ordering: "key", retry: minute })
      await service.waitFor("ready")
      const before = Date.now()
      await test.publish([order(0, "x", "fail"), order(1, "x")])
      await service.waitFor("log", 1, ({ message }) => message === "attempt failed")
      service.terminate()
      assert.deepStrictEqual(await service.ended, { code: 0, signal: null }, service.output())
      const after = Date.now()
      assert.deepStrictEqual(numbersOf(service.of("started")), [0], service.output())

      const [head] = await parkedOf(test)
      const due = head?.due ?? 0
      assert.deepStrictEqual(head, { n: 0, attempt: 2, due })
      // Rounded to whole milliseconds.
      assert.isAtLeast(due, before + minute - 1)
      assert.isAtMost(due, after + minute + 1)

      for (const neighbour of [2, 3]) {
        const { handled, subscription } = await next(test)
        await using _ = subscription
        await test.publish([order(neighbour, "y")])
        await until(
          () => `${neighbour} is handled`,
          () => handled.length > 0
        )
        let keys = (await subscription.tree()).keys
        await until(
          () => `the key is parked with the event behind it: ${JSON.stringify(keys)}`,
          async () => {
            ;({ keys } = await subscription.tree())
            return keys[0]?.behind === 1
          }
        )
        assert.deepInclude(keys[0], { key: "x", head: "parked", attempt: 2 })
        assert.deepStrictEqual(handled, [{ n: neighbour, attempt: 1 }])
        assert.isTrue(await subscription.drain())
        const parked = await parkedOf(test)
        assert.deepStrictEqual(parked[0], { n: 0, attempt: 2, due }, `after ${neighbour}`)
      }

      const { handled, subscription } = await next(test)
      await using _ = subscription
      await subscription.release("x")
      await until(
        () => `handled: ${JSON.stringify(handled)}`,
        () => handled.length === 2
      )
      assert.deepStrictEqual(handled, [
        { n: 0, attempt: 2 },
        { n: 1, attempt: 1 }
      ])
      await until(
        () => "something is still parked",
        async () => (await subscription.stats()).parked === 0
      )
    })
  },
  ["rabbit"]
)
