/** A process that asks: one after the other for the latency, then many at once for the CPU. Sends its figures and ends. */
import { connect } from "amqplib"
import { Effect, Layer, Scope } from "effect"
import { EventBus } from "../../src/index.ts"
import { Ask, byHandQueue, namespace } from "./contract.ts"

const [entry = "ours", url = "", count = "2000", atOnce = "250"] = process.argv.slice(2)
const warm = 500

const ours = async (): Promise<(n: number) => Promise<number>> => {
  const context = await Effect.runPromise(
    Layer.buildWithScope(EventBus.layerAmqp({ url, namespace }), Scope.makeUnsafe())
  )
  const run = Effect.runPromiseWith(context)
  const ask = (n: number) =>
    Effect.map(
      Effect.flatMap(EventBus, ({ request }) => request(Ask, { n })),
      (reply) => reply.n
    )
  return (n) => run(ask(n))
}

/** A confirmed request, an id for each, a timer for each: what a careful hand writes. */
const byHand = async (): Promise<(n: number) => Promise<number>> => {
  const connection = await connect(url, { noDelay: true })
  const channel = await connection.createConfirmChannel()
  const waiting = new Map<string, (n: number) => void>()
  await channel.consume(
    "amq.rabbitmq.reply-to",
    (message) => {
      if (message === null) return
      const { n } = JSON.parse(message.content.toString()) as { readonly n: number }
      const id = String(message.properties.correlationId)
      waiting.get(id)?.(n)
      waiting.delete(id)
    },
    { noAck: true }
  )
  let next = 0
  return (n) =>
    new Promise((resolve, reject) => {
      const correlationId = `${process.pid}-${++next}`
      const timer = setTimeout(() => reject(new Error("no answer")), 15_000)
      waiting.set(correlationId, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      channel.sendToQueue(
        byHandQueue,
        Buffer.from(JSON.stringify({ n })),
        { correlationId, replyTo: "amq.rabbitmq.reply-to", persistent: true, mandatory: true },
        (error) => {
          if (error !== null && error !== undefined) reject(new Error("not confirmed"))
        }
      )
    })
}

const ask = await (entry === "ours" ? ours() : byHand())
for (let n = 0; n < warm; n++) await ask(n)
const times: Array<number> = []
for (let n = 0; n < Number(count); n++) {
  const began = performance.now()
  if ((await ask(n)) !== n) throw new Error("the answer to another request")
  times.push(performance.now() - began)
}
times.sort((a, b) => a - b)
const flood = async (total: number): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < total) await ask(next++)
  }
  await Promise.all(Array.from({ length: Number(atOnce) }, worker))
}
await flood(5_000)
const many = 10 * Number(count)
const [cpu, began] = [process.cpuUsage(), performance.now()]
await flood(many)
const used = process.cpuUsage(cpu)
const at = (share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN
process.send?.({
  p50: at(0.5),
  p99: at(0.99),
  cpu: (used.user + used.system) / many,
  perSecond: many / ((performance.now() - began) / 1000)
})
process.disconnect()
setTimeout(() => process.exit(0), 100)
