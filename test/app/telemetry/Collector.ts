/** A collector for tests: receives OTLP over HTTP, keeps every request (parsed if it is JSON), and misbehaves on demand. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"

export interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string; readonly doubleValue?: number }
}

export interface Point {
  readonly attributes: ReadonlyArray<Attribute>
  readonly startTimeUnixNano: string
  readonly timeUnixNano: string
  readonly asInt?: number
  readonly asDouble?: number
  readonly count?: number
  readonly sum?: number
  readonly min?: number
  readonly max?: number
  readonly bucketCounts?: ReadonlyArray<number>
  readonly explicitBounds?: ReadonlyArray<number>
}

interface Points {
  readonly dataPoints: ReadonlyArray<Point>
  readonly aggregationTemporality?: number
  readonly isMonotonic?: boolean
}

export interface Metric {
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly sum?: Points
  readonly gauge?: Points
  readonly histogram?: Points
}

export interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<Attribute>
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
  readonly status: { readonly code: number; readonly message?: string }
}

export interface LogRecord {
  readonly severityText: string
  readonly severityNumber: number
  readonly timeUnixNano: string
  readonly body: { readonly stringValue?: string }
  readonly attributes: ReadonlyArray<Attribute>
  readonly traceId?: string
  readonly spanId?: string
}

interface Scoped {
  readonly scope: { readonly name: string; readonly version?: string }
  readonly metrics?: ReadonlyArray<Metric>
  readonly spans?: ReadonlyArray<Span>
  readonly logRecords?: ReadonlyArray<LogRecord>
}

interface Resourced {
  readonly resource: { readonly attributes: ReadonlyArray<Attribute> }
  readonly scopeMetrics?: ReadonlyArray<Scoped>
  readonly scopeSpans?: ReadonlyArray<Scoped>
  readonly scopeLogs?: ReadonlyArray<Scoped>
}

export interface Request {
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: Readonly<Record<string, ReadonlyArray<Resourced>>>
  /** The body, if it is not JSON. */
  readonly protobuf?: Buffer
}

export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => void

export const startCollector = async (misbehave?: Misbehaviour) => {
  const requests: Array<Request> = []
  const waiting = new Set<() => void>()
  let open = 0
  let mostOpen = 0
  let bytes = 0
  const server = createServer((request, response) => {
    mostOpen = Math.max(mostOpen, ++open)
    response.once("close", () => void open--)
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("error", () => {})
    request.on("end", () => {
      const raw = Buffer.concat(chunks)
      bytes += raw.length
      const text = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw
      const isJson = request.headers["content-type"]?.includes("json") === true
      const content = isJson ? { body: JSON.parse(text.toString()) } : { body: {}, protobuf: text }
      requests.push({ path: request.url ?? "", headers: request.headers, ...content })
      waiting.forEach((check) => check())
      if (misbehave !== undefined) return misbehave(request, response)
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const scoped = (key: "scopeMetrics" | "scopeSpans" | "scopeLogs") =>
    requests.flatMap(({ body }) => Object.values(body).flatMap((all) => all.flatMap((one) => one[key] ?? [])))
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    /** Scopes of all exports so far, the latest last. */
    scopes: scoped,
    spans: () => scoped("scopeSpans").flatMap(({ spans }) => spans ?? []),
    logs: () => scoped("scopeLogs").flatMap(({ logRecords }) => logRecords ?? []),
    /** The scopes of the latest export of metrics. */
    metrics: (): ReadonlyArray<Scoped> => {
      const last = requests.findLast(({ path }) => path === "/v1/metrics")
      return last?.body["resourceMetrics"]?.flatMap(({ scopeMetrics }) => scopeMetrics ?? []) ?? []
    },
    mostOpen: () => mostOpen,
    bytes: () => bytes,
    /** Waits until the condition holds, checked after each request. */
    until: (holds: () => boolean) =>
      new Promise<void>((resolve) => {
        const check = (): void => {
          if (!holds()) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
        check()
      }),
    stop: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      })
  }
}
export type Collector = Awaited<ReturnType<typeof startCollector>>

export const valueOf = ({ value }: Attribute): string | number | undefined =>
  value.stringValue ?? (value.intValue === undefined ? value.doubleValue : Number(value.intValue))
export const record = (attributes: ReadonlyArray<Attribute>): Readonly<Record<string, string | number | undefined>> =>
  Object.fromEntries(attributes.map((attribute) => [attribute.key, valueOf(attribute)]))
