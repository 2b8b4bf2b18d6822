/**
 * Faults of the embedded broker, decided at each of its steps: when it takes a send, makes a delivery, or receives an
 * acknowledgement. Without faults none of this runs.
 *
 * `seeded` draws from a seed, so that the same run has the same faults again. A test that needs one fault at one moment
 * implements the three decisions itself.
 */
import * as SeededRandom from "../bus/support/SeededRandom.ts"

/** The fault of one send. */
export type SendFault =
  | "none"
  /** Stored; reported to its sender as a lost answer. */
  | "lose-confirm"
  /** Stored; not answered until its sender loses the connection. */
  | "drop-confirm"
  /** Stored; answered some turns later, after sends that came behind it. */
  | "delay-confirm"
  /** Answered with a nack, and not stored. */
  | "reject"
  /** Answered with a nack, but stored. */
  | "reject-but-store"
  /** Not stored and answered as if no queue were there. */
  | "return"
  /** The sender's connection is lost, before the message is stored or after. */
  | "cut-before-store"
  | "cut-after-store"
  /** The sender's process dies at this point. */
  | "crash-before-store"
  | "crash-after-store"

/** The fault of one delivery. */
export type DeliveryFault =
  | "none"
  /** The broker cancels its consumer after it: everything that the consumer holds is delivered again. */
  | "cancel"
  | "cut"
  /** The consumer's process dies after it. */
  | "crash"

/** The fault of one acknowledgement. */
export type AckFault =
  | "none"
  /** It never arrives, because its channel is lost: the handled event is delivered again. */
  | "lose"
  /** The process dies before it arrives, or after. */
  | "crash-before"
  | "crash-after"

export interface Faults {
  readonly onSend: (client: string, id: string) => SendFault
  readonly onDelivery: (client: string, id: string) => DeliveryFault
  readonly onAck: (client: string, id: string) => AckFault
  /** How many turns a delayed confirm is late. */
  readonly lateTurns: () => number
  /** How many milliseconds a lost connection stays lost. */
  readonly outageMillis: () => number
  /** Called after the process of a client died. */
  readonly crashed: (client: string) => void
}

/** How often each fault happens, from 0 to 1. Absent is never. */
export interface Rates {
  readonly send?: Partial<Record<Exclude<SendFault, "none">, number>>
  readonly delivery?: Partial<Record<Exclude<DeliveryFault, "none">, number>>
  readonly ack?: Partial<Record<Exclude<AckFault, "none">, number>>
}

export interface SeededOptions {
  readonly seed: number
  readonly rates: Rates
  /** At most this many faults in all. Default no bound. */
  readonly limit?: number
  /** A delayed confirm is late by at most this many turns. Default 20. */
  readonly maxLateTurns?: number
  /** A connection stays lost for at most this many milliseconds. Default 3,000. */
  readonly maxOutageMillis?: number
  /** Called for each fault. */
  readonly onFault?: (fault: string, client: string, id: string) => void
  readonly onCrash?: (client: string) => void
}

export interface Seeded extends Faults {
  /** Ends the faults. */
  readonly calm: () => void
  /** How many faults there were. */
  readonly count: () => number
}

/**
 * Faults by chance, the same for the same seed.
 */
export const seeded = (options: SeededOptions): Seeded => {
  const { maxLateTurns = 20, maxOutageMillis = 3000, onFault, rates } = options
  const random = SeededRandom.make(options.seed)
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
