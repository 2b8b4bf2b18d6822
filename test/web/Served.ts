/** A server of the operations over letters "one" to "three" of the subscriber `mailer`, and a client that asks it. */
import { Effect, Layer, Schedule } from "effect"
import { request } from "node:http"
import { EventBus, operations, type OperationsOptions, type OperatorRequest, Reject } from "../../src/index.ts"
import { Posted } from "../mcp/contracts.ts"
import { freshNamespace, rabbitUrl } from "../support/live.ts"

/** Letters "one" to "three", and the address of a server for them. */
export const served = Effect.fnUntraced(function* (options: Partial<OperationsOptions> = {}) {
  const namespace = freshNamespace()
  let handled = 0
  yield* Effect.gen(function* () {
    const bus = yield* EventBus
    yield* bus.subscribe("mailer", {
      events: [Posted],
      handler: () => Effect.suspend(() => (handled++, Effect.fail(new Reject({ reason: "no way" }))))
    })
    for (const id of ["one", "two", "three"]) yield* bus.publish(Posted, { text: id, pin: `pin-${id}` }, { id })
    yield* Effect.repeat(
      Effect.sync(() => handled),
      { until: (done) => done >= 3, schedule: Schedule.spaced("20 millis") }
    )
  }).pipe(Effect.scoped, Effect.provide(EventBus.layerAmqp({ url: rabbitUrl(), namespace, publishChannels: 1 })))
  const asked: Array<OperatorRequest> = []
  let address = ""
  yield* Layer.build(
    operations(
      {
        port: 0,
        subscribers: ["mailer"],
        contracts: [Posted],
        authorize: (request) =>
          Effect.sync(() => {
            asked.push(request)
            return request.headers["authorization"] === "Bearer key" ? { name: "on call" } : undefined
          }),
        onListen: (url) => (address = url),
        ...options
      },
      { url: rabbitUrl(), namespace, source: "test" }
    )
  )
  return { address, asked }
})

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: unknown
}

export const key = { authorization: "Bearer key" }

/** Node's own client: it sends what browsers would not let a page send. */
export const ask = (
  address: string,
  path: string,
  headers: Record<string, string> = key,
  data?: unknown,
  method = "GET"
) =>
  Effect.promise(
    () =>
      new Promise<Answer>((resolve, reject) => {
        const isPost = data !== undefined
        const sent = request(
          `${address}${path}`,
          {
            method: isPost ? "POST" : method,
            headers: { ...(isPost && { "content-type": "application/json" }), ...headers }
          },
          (response) => {
            let text = ""
            response.on("data", (chunk: Buffer) => (text += chunk.toString()))
            response.on("end", () =>
              resolve({
                status: response.statusCode ?? 0,
                headers: response.headers,
                body: text === "" ? undefined : JSON.parse(text)
              })
            )
          }
        )
        sent.on("error", reject)
        sent.end(typeof data === "string" ? data : JSON.stringify(data))
      })
  )
