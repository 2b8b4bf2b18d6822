/**
 * The answer to a request on its way to the process that asked: an event of the runtime with a routing key of that process
 * alone. Its `causationid` is the id of the request.
 */
import { randomBytes } from "node:crypto"
import * as Event from "../../event/Event.ts"
import type { Headers } from "../port/Broker.ts"

/** `outcome` says whether `value` is the reply, an error that the contract declares, or the diagnosis of a dead letter. */
export const Reply = Event.defineRuntime("bus.reply", 1, (Schema) =>
  Schema.Struct({
    subscriber: Schema.String,
    outcome: Schema.Literals(["reply", "error", "dead-letter"]),
    value: Schema.Unknown
  })
)
export type Answer = Event.Data<typeof Reply>

/** Where a process gets its answers. Nobody can guess it: 128 random bits. */
export const newAddress = (): string => randomBytes(16).toString("hex")

/** The routing key of an address. */
export const routeOf = (address: string): string => `${Reply.name}.${address}`

/** The contract of answers to one address: of the same name, so that metrics do not tell addresses apart. */
export const to = (address: string): typeof Reply => ({ ...Reply, route: routeOf(address) })

/** The process that waits for an answer, as the headers of a request say. */
export interface Asker {
  readonly address: string
  /** Nobody waits from then on, in milliseconds since the epoch. */
  readonly until: number
}

const toHeader = "reply-to"
const untilHeader = "reply-until"

export const headersOf = ({ address, until }: Asker): Headers => ({ [toHeader]: address, [untilHeader]: until })

const form = /^[0-9a-f]{32}$/
/** No request waits longer, whatever its headers say. */
export const mostMillis = 24 * 60 * 60 * 1000

/** Undefined for an event that was published without waiting, and for headers that no process of the library wrote. */
export const askerOf = (headers: Readonly<Record<string, unknown>>, now: number): Asker | undefined => {
  const { [toHeader]: address, [untilHeader]: until } = headers
  return typeof address === "string" && form.test(address) && typeof until === "number" && Number.isFinite(until)
    ? { address, until: Math.min(until, now + mostMillis) }
    : undefined
}
