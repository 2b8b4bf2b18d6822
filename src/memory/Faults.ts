/**
 * What goes wrong on the embedded broker, decided at each of its steps: when it takes a send, when it
 * brings a delivery, when it hears an acknowledgement. Without faults nothing of this runs.
 *
 * `seeded` draws from a seed, so that the same run has the same faults again; who needs one fault at
 * one moment writes the three decisions down.
 */

/** What becomes of one send. */
export type SendFault =
  | "none"
  /** Stored; its sender hears that the answer is lost. */
  | "lose confirm"
  /** Stored; its sender hears nothing until its connection is lost. */
  | "drop confirm"
  /** Stored; answered some turns later, after others that came behind it. */
  | "delay confirm"
  /** Answered with a nack, and not stored. */
  | "reject"
  /** Answered with a nack, but stored. */
  | "reject but store"
  /** Not stored and answered as if no queue were there. */
  | "return"
  /** The sender's connection is lost with it before it is stored, or behind it. */
  | "cut before store"
  | "cut after store"
  /** The sender's process dies at this point. */
  | "crash before store"
  | "crash after store"

/** What comes of one delivery. */
export type DeliveryFault =
  | "none"
  /** Its consumer is cancelled by the broker once it has it: all that it holds comes again. */
  | "cancel"
  | "cut"
  /** The consumer's process dies with it. */
  | "crash"

/** What becomes of one acknowledgement. */
export type AckFault =
  | "none"
  /** It never arrives, since its channel is lost: the broker brings again what was handled. */
  | "lose"
  /** The process dies before it arrives, or behind it. */
  | "crash before"
  | "crash after"

export interface Faults {
  readonly onSend: (client: string, id: string) => SendFault
  readonly onDelivery: (client: string, id: string) => DeliveryFault
  readonly onAck: (client: string, id: string) => AckFault
  /** For how many turns a confirm is late. */
  readonly lateTurns: () => number
  /** For how many milliseconds a connection that was lost stays lost. */
  readonly outageMillis: () => number
  /** Told of a client whose process died, when it is dead. */
  readonly crashed: (client: string) => void
}

/** How often each of them happens, 0 to 1; absent is never. */
export interface Rates {
  readonly send?: Partial<Record<Exclude<SendFault, "none">, number>>
  readonly delivery?: Partial<Record<Exclude<DeliveryFault, "none">, number>>
  readonly ack?: Partial<Record<Exclude<AckFault, "none">, number>>
}

export interface SeededOptions {
  readonly seed: number
  readonly rates: Rates
  /** At most so many faults in all. Default no bound. */
  readonly limit?: number
  /** A confirm is late by at most so many turns. Default 20. */
  readonly maxLateTurns?: number
  /** A connection stays lost for at most so many milliseconds. Default 3,000. */
  readonly maxOutageMillis?: number
  /** Told of each fault that is injected. */
  readonly onFault?: (what: string, client: string, id: string) => void
  readonly onCrash?: (client: string) => void
}

export interface Seeded extends Faults {
  /** From now on nothing goes wrong. */
  readonly calm: () => void
  /** How many there were. */
  readonly count: () => number
}

/**
 * Faults by chance, the same for the same seed.
 *
 * @example
 * ```ts
 * import * as Faults from "../../src/memory/Faults.ts"
 * import { MemoryServer } from "../../src/memory/MemoryServer.ts"
 *
 * const faults = Faults.seeded({ seed: 7, rates: { send: { "lose confirm": 0.1 }, ack: { lose: 0.05 } } })
 * export const server = MemoryServer.makeWith({ faults })
 * ```
 */
export const seeded = (options: SeededOptions): Seeded => {
  const { maxLateTurns = 20, maxOutageMillis = 3000, onFault, rates } = options
  const random = generator(options.seed)
  let left = options.limit ?? Number.POSITIVE_INFINITY
  let count = 0
  const draw = <K extends string>(table: ReadonlyArray<readonly [K, number]>, client: string, id: string) => {
    if (left <= 0 || table.length === 0) return "none"
    let at = random()
    for (const [kind, rate] of table) {
      at -= rate
      if (at >= 0) continue
      left--
      count++
      onFault?.(kind, client, id)
      return kind
    }
    return "none"
  }
  const tables = { send: entries(rates.send), delivery: entries(rates.delivery), ack: entries(rates.ack) }
  return {
    onSend: (client, id) => draw(tables.send, client, id),
    onDelivery: (client, id) => draw(tables.delivery, client, id),
    onAck: (client, id) => draw(tables.ack, client, id),
    lateTurns: () => 1 + Math.floor(random() * maxLateTurns),
    outageMillis: () => Math.floor(random() * maxOutageMillis),
    crashed: options.onCrash ?? (() => {}),
    calm: () => {
      left = 0
    },
    count: () => count
  }
}

const entries = <K extends string>(rates: Partial<Record<K, number>> = {}): ReadonlyArray<readonly [K, number]> =>
  // The keys of a record by K are of K.
  (Object.keys(rates) as Array<K>).map((kind) => [kind, rates[kind] ?? 0])

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export const generator = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
