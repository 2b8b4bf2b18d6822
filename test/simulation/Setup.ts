/**
 * What a run consists of, from its seed: processes, subscribers, what handlers do, which faults there
 * are and how often. Each seed leaves most kinds of trouble out, so that the others meet in many ways.
 */
import { Schema } from "effect"
import * as Event from "../../src/event/Event.ts"
import type { Rates } from "../../src/memory/Faults.ts"
import { type MarkFault, markFaults } from "./Actor.ts"
import type { Kind, Mix, PolicyName } from "./Behaviour.ts"
import * as Chance from "./Chance.ts"

const data = Schema.Struct({ n: Schema.Int, k: Schema.String })
export const Plain = Event.make("sim.plain", { version: 1, data })
export const Keyed = Event.make("sim.keyed", { version: 1, data, key: ({ k }) => k })
/** What handlers publish. */
export const Child = Event.make("sim.child", { version: 1, data })
/** Nobody is ever bound to it. */
export const Nobody = Event.make("sim.nobody", { version: 1, data })
export const contracts = { plain: Plain, keyed: Keyed, child: Child, nobody: Nobody }
export type Name = keyof typeof contracts

export interface Subscriber {
  readonly name: string
  readonly events: ReadonlyArray<"plain" | "keyed" | "child">
  readonly ordering: "none" | "key"
  readonly concurrency: number
  readonly prefetch: number
  readonly policy: PolicyName
  /** Which processes run it. */
  readonly on: ReadonlyArray<number>
  /** What becomes of a key that is blocked. */
  readonly onBlocked: "dead-letter" | "park"
  readonly batch?: { readonly size: number; readonly within: number }
  readonly idempotent: boolean
  readonly onStoreDown: "handle" | "wait"
  readonly breaker?: undefined | { readonly failures: number; readonly openFor: number }
  readonly rateLimit?: undefined | { readonly limit: number; readonly window: number }
}

export type Command =
  | "publish"
  | "publishAll"
  | "delayed"
  | "mandatory"
  | "invalid"
  | "interrupted"
  | "crash"
  | "drain"
  | "cut"
  | "cutAll"
  | "block"
  | "cancel"
  | "deleteQueue"
  | "replay"
  | "pause"
  | "setConcurrency"
  | "storeDown"
  | "read"

export interface Setup {
  readonly seed: number
  readonly slots: number
  readonly subscribers: ReadonlyArray<Subscriber>
  readonly mix: Mix
  readonly keys: ReadonlyArray<string>
  readonly commands: Readonly<Partial<Record<Command, number>>>
  readonly count: number
  readonly returns: "in place" | "behind"
  readonly rates: Rates
  readonly faultLimit: number
  /** How often the cache forgets, fails and is slow. */
  readonly cache: number
  /** How often the store of marks fails, and how. */
  readonly marks: Readonly<Partial<Record<MarkFault, number>>>
  /** Whether breakers and rate limits are of all processes together. */
  readonly fleet: boolean
  readonly publishTimeout: number
  readonly inFlight: number
  readonly drain: number
  /** Whether nothing at all goes wrong but what handlers do. */
  readonly peaceful: boolean
}

export const make = (seed: number): Setup => {
  const chance = Chance.of(seed, "setup")
  const peaceful = chance.one(0.1)
  const slots = chance.int(1, 3)
  const killers = !peaceful && chance.one(0.06)
  const weights: Partial<Record<Kind, number>> = { ok: chance.int(5, 30), publish: chance.one(0.3) ? 3 : 0 }
  for (const kind of ["fail", "defect", "timeout", "reject", "later", "later for ever"] as const) {
    if (chance.one(0.5)) weights[kind] = chance.int(1, 4)
  }
  if (killers) weights.kill = 1

  const subscribers: Array<Subscriber> = []
  const names = chance.int(1, 3)
  for (let i = 0; i < names; i++) {
    const ordering = chance.one(0.5) ? "key" : "none"
    const events = (["plain", "keyed", "child"] as const).filter(() => chance.one(0.7))
    const on = Array.from({ length: slots }, (_, slot) => slot).filter(() => chance.one(0.7))
    subscribers.push({
      name: `s${i}`,
      events: events.length === 0 ? ["keyed"] : events,
      ordering,
      concurrency: chance.pick([1, 2, 4, 16]),
      prefetch: ordering === "key" ? (chance.one(0.2) ? 16 : 250) : chance.pick([1, 4, 32]),
      policy: chance.pick(["short", "growing", "long"]),
      on: on.length === 0 ? [0] : on,
      ...actorOf(Chance.of(seed, "actor", i)),
      ...roomsOf(Chance.of(seed, "rooms", i), ordering, weights)
    })
    const last = subscribers[i]
    if (last?.batch !== undefined) subscribers[i] = { ...last, prefetch: Math.max(last.prefetch, last.batch.size) }
  }

  const commands: Partial<Record<Command, number>> = { publish: chance.int(10, 40) }
  const some = <K extends Command>(command: K, probability: number, weight: number): void => {
    if (chance.one(probability)) commands[command] = chance.int(1, weight)
  }
  some("publishAll", 0.5, 10)
  some("delayed", 0.4, 5)
  some("mandatory", 0.4, 5)
  some("invalid", 0.2, 2)
  some("replay", 0.3, 4)
  some("read", 0.2, 3)
  some("drain", 0.4, 2)
  some("pause", 0.2, 3)
  if (!peaceful) {
    some("interrupted", 0.3, 5)
    some("crash", 0.5, 3)
    some("cut", 0.5, 3)
    some("cutAll", 0.3, 2)
    some("block", 0.3, 3)
    some("cancel", 0.3, 3)
    some("deleteQueue", 0.08, 2)
  }

  // Sources of their own, so that the other worlds stay what they are.
  const steer = Chance.of(seed, "steer")
  if (steer.one(0.3)) commands.setConcurrency = steer.int(1, 3)
  if (steer.one(0.2)) commands.pause = steer.int(1, 3)
  const marks: Partial<Record<MarkFault, number>> = {}
  if (!peaceful && subscribers.some(({ idempotent }) => idempotent)) {
    for (const kind of markFaults)
      if (steer.one(0.3)) marks[kind] = steer.next() * (kind.startsWith("crash") ? 0.06 : 0.2)
    if (steer.one(0.2)) commands.storeDown = steer.int(1, 2)
  }

  const rates = {
    send: {} as Record<string, number>,
    delivery: {} as Record<string, number>,
    ack: {} as Record<string, number>
  }
  const maybe = (table: Record<string, number>, kind: string, most: number): void => {
    if (chance.one(0.25)) table[kind] = chance.next() * most
  }
  if (!peaceful) {
    for (const kind of ["lose confirm", "drop confirm", "delay confirm", "reject", "reject but store", "return"]) {
      maybe(rates.send, kind, 0.15)
    }
    for (const kind of ["cut before store", "cut after store", "crash before store", "crash after store"]) {
      maybe(rates.send, kind, 0.04)
    }
    for (const kind of ["cancel", "cut", "crash"]) maybe(rates.delivery, kind, 0.04)
    for (const kind of ["lose", "crash before", "crash after"]) maybe(rates.ack, kind, 0.04)
  }
  const storm = !peaceful && Chance.of(seed, "storm").one(0.1)
  return {
    seed,
    slots,
    subscribers,
    mix: { seed, weights, slow: chance.pick([0, 0.2, 0.6]) },
    keys: Array.from({ length: chance.pick([1, 2, 5]) }, (_, i) => `k${i}`),
    commands,
    count: chance.int(15, 60) * (storm ? 2 : 1),
    returns: chance.one(0.5) ? "in place" : "behind",
    rates,
    faultLimit: chance.int(2, 12) * (storm ? 4 : 1),
    cache: chance.one(0.3) ? 0.5 : 0,
    marks,
    fleet: steer.one(0.5),
    publishTimeout: chance.pick([2000, 5000, 15_000]),
    inFlight: chance.pick([2, 10, 1000]),
    drain: chance.pick([2000, 10_000]),
    peaceful
  }
}

/** What makes an actor of a subscriber: about half of them have something of it. */
const actorOf = (chance: Chance.Chance): Pick<Subscriber, "idempotent" | "onStoreDown" | "breaker" | "rateLimit"> => ({
  idempotent: chance.one(0.45),
  onStoreDown: chance.pick(["handle", "wait"]),
  ...(chance.one(0.2) && { breaker: { failures: chance.int(1, 4), openFor: chance.int(1, 8) * 500 } }),
  ...(chance.one(0.2) && { rateLimit: { limit: chance.int(1, 10), window: chance.pick([200, 1000, 2500]) } })
})

/** Keys that are parked, and batches; both have a source of their own. */
const roomsOf = (
  chance: Chance.Chance,
  ordering: "none" | "key",
  weights: Mix["weights"]
): Pick<Subscriber, "onBlocked"> & Partial<Pick<Subscriber, "batch" | "policy" | "breaker" | "rateLimit">> => {
  const parks = ordering === "key" && chance.one(0.4)
  // One that is late fails with all others of its batch, so the reference cannot tell their attempts; and who has
  // joined a batch starts later than a breaker or a limit let it through.
  const batched = chance.one(0.3) && weights.timeout === undefined && weights.kill === undefined
  return {
    onBlocked: parks ? "park" : "dead-letter",
    ...(parks && chance.one(0.5) && { policy: "patient" }),
    ...(batched && {
      batch: { size: chance.pick([2, 5, 20]), within: chance.pick([1, 50, 400]) },
      breaker: undefined,
      rateLimit: undefined
    })
  }
}
