/**
 * Events that end their process, by when they do it, how many there are, where they stand and how many processes there are:
 * each of them becomes a dead letter, no other event does, and nothing is handled more often than the bound says.
 *
 * The rows hold every pair of values. EVENTBUS_TEST_KILLERS=all runs all 144 combinations, which takes half an hour.
 */
import { afterAll, assert, beforeAll, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { orderOf, type Order } from "./Orders.ts"
import { keepAlive } from "./ServiceProcess.ts"
import { openTestClient, orders, type TestCase, type TestClient, until, upTo } from "./TestClient.ts"

const events = 60
const times = [0, 5, 20, 60]
const counts = [1, 3, 12]
const places = ["first", "middle", "last"] as const
const orderings = ["none", "key"] as const

interface Row {
  readonly ms: number
  readonly count: number
  readonly place: (typeof places)[number]
  readonly replicas: 1 | 2
  readonly ordering: (typeof orderings)[number]
}

/** How often a killer may start: it is judged by ten returns, or by key by three starts after five. */
const maxStarts = { none: 10, key: 8 }
/** A killer that was set aside beside another one has eight returns before it again. */
const maxDeaths = { none: (killers: number) => 2 + 11 * killers, key: (killers: number) => 5 + 3 * killers }
/** Twice beside killers that are no suspects yet. */
const maxHandled = 3

const all: ReadonlyArray<Row> = times.flatMap((ms) =>
  counts.flatMap((count) =>
    places.flatMap((place) =>
      orderings.flatMap((ordering) => ([1, 2] as const).map((replicas) => ({ ms, count, place, replicas, ordering })))
    )
  )
)
/** Every time with every count, and the rest so that each pair of values is in a row. */
const inPairs = ({ count, ms, ordering, place, replicas }: Row): boolean => {
  const [time, number] = [times.indexOf(ms), counts.indexOf(count)]
  return (
    place === places[(time + number) % 3] &&
    replicas === 1 + ((time + (number === 1 ? 1 : 0)) % 2) &&
    ordering === orderings[(Math.floor(time / 2) + (number === 2 ? 1 : 0)) % 2]
  )
}
const rows = process.env["EVENTBUS_TEST_KILLERS"] === "all" ? all : all.filter(inPairs)

const killersOf = ({ count, place }: Row): ReadonlyArray<number> => {
  const from = { first: 0, middle: Math.floor((events - count) / 2), last: events - count }[place]
  return upTo(count).map((n) => from + n)
}

/** Declares the queue, so that the events are there when the first process begins. */
const declare = async (test: TestCase, { ordering }: Row): Promise<void> => {
  const options = { events: [orderOf(test.event)], ordering, handler: () => {} }
  const subscription = await test.client.bus.subscribe(test.subscriber, options)
  await subscription.drain()
}

describeLive(
  "killers and their neighbours",
  () => {
    let client: TestClient
    beforeAll(async () => void (client = await openTestClient(rabbitUrl(), freshNamespace())))
    afterAll(() => client[Symbol.asyncDispose]())

    for (const row of rows) {
      const { count, ms, ordering, place, replicas } = row
      it.concurrent(
        `C11, N6, P3: ${count} killers, the ${place} of ${events}, after ${ms} ms, ordering "${ordering}", processes: ${replicas}`,
        { timeout: 1_800_000 },
        async () => {
          const killers = killersOf(row)
          const innocents = upTo(events).filter((n) => !killers.includes(n))
          await using test = client.begin()
          await declare(test, row)
          await test.publish(
            orders(events).map((order) => (killers.includes(order.n) ? { ...order, act: "exit", ms } : order))
          )
          const { lives, stop } = keepAlive(() => test.service({ ordering, prefetch: 100 }), replicas)
          const timesOf = (type: "started" | "handled"): ReadonlyMap<number, number> => {
            const seen = new Map<number, number>()
            for (const { n = -1 } of lives.flatMap((service) => service.of(type))) seen.set(n, (seen.get(n) ?? 0) + 1)
            return seen
          }
          let letters = 0
          await until(
            () => `${timesOf("handled").size} handled, ${letters} letters after ${lives.length} lives`,
            async () => {
              letters = await client.bus.deadLetters.count(test.subscriber)
              return timesOf("handled").size >= innocents.length && letters >= count
            },
            1_700
          )
          await stop()
          const list = await client.bus.deadLetters.list(test.subscriber, { limit: 200 })
          assert.sameMembers(
            list.map(({ body }) => (JSON.parse(body.toString()) as { readonly data: Order }).data.n),
            [...killers]
          )
          for (const { reason } of list) assert.strictEqual(reason, "CrashLoop")
          const [handled, started] = [timesOf("handled"), timesOf("started")]
          assert.sameMembers([...handled.keys()], innocents)
          // Each of the last lives ended by SIGTERM.
          const deaths = lives.length - replicas
          const report = `${deaths} deaths, most handled ${Math.max(...handled.values())} times, killers started ${killers.map((n) => started.get(n))}`
          if (process.env["EVENTBUS_TEST_KILLERS"] !== undefined) console.log(JSON.stringify(row), report)
          assert.isAtMost(deaths, maxDeaths[ordering](count), report)
          for (const times of handled.values()) assert.isAtMost(times, maxHandled, report)
          for (const n of killers) assert.isAtMost(started.get(n) ?? 0, maxStarts[ordering], report)
        }
      )
    }
  },
  ["rabbit"]
)
