/**
 * What a run consists of, made from its seed: processes, subscribers, what handlers do, which faults happen
 * and how often. Each seed leaves out most kinds of trouble, so that the others combine in many ways.
 */
import { Schema } from "effect"
import * as Event from "../../src/event/Event.ts"
import type { Rates } from "../../src/memory/Faults.ts"
import { type ClaimFault, claimFaults } from "./FaultyClaims.ts"
import type { Kind, Mix, PolicyName } from "./HandlerScript.ts"
import * as RandomSource from "../support/RandomSource.ts"

const data = Schema.Struct({ n: Schema.Int, k: Schema.String })
export const Plain = Event.make("sim.plain", { version: 1, data })
export const Keyed = Event.make("sim.keyed", { version: 1, data, key: ({ k }) => k })
/** Published by handlers. */
export const Child = Event.make("sim.child", { version: 1, data })
/** No subscriber is ever bound to it. */
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
  /** What happens to a blocked key; undefined for the default, which parks it. */
  readonly onBlocked: "dead-letter" | "park" | undefined
  readonly batch?: { readonly size: number; readonly maxWait: number }
  readonly idempotent: boolean
  readonly onStoreDown: "handle" | "wait"
  readonly breaker?: undefined | { readonly failures: number; readonly openDuration: number }
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
  readonly returns: "in-place" | "behind"
  readonly rates: Rates
  readonly faultLimit: number
  /** How often the cache forgets, fails and is slow. */
  readonly cache: number
  /** How often the claim store fails, and how. */
  readonly claims: Readonly<Partial<Record<ClaimFault, number>>>
  /** Breakers and rate limits are shared by all processes. */
  readonly fleet: boolean
  readonly publishTimeout: number
  readonly inFlight: number
  readonly drain: number
  /** Nothing goes wrong but what handlers do. */
  readonly peaceful: boolean
}

export const make = (seed: number): Setup => {
  const random = RandomSource.forPurpose(seed, "setup")
  const peaceful = random.one(0.1)
  const slots = random.int(1, 3)
  const killers = !peaceful && random.one(0.06)
  const weights: Partial<Record<Kind, number>> = { ok: random.int(5, 30), publish: random.one(0.3) ? 3 : 0 }
  for (const kind of ["fail", "defect", "timeout", "reject", "later", "later for ever"] as const) {
    if (random.one(0.5)) weights[kind] = random.int(1, 4)
  }
  if (killers) weights.kill = 1

  const subscribers: Array<Subscriber> = []
  const names = random.int(1, 3)
  for (let i = 0; i < names; i++) {
    const ordering = random.one(0.5) ? "key" : "none"
    const events = (["plain", "keyed", "child"] as const).filter(() => random.one(0.7))
    const on = Array.from({ length: slots }, (_, slot) => slot).filter(() => random.one(0.7))
    subscribers.push({
      name: `s${i}`,
      events: events.length === 0 ? ["keyed"] : events,
      ordering,
      concurrency: random.pick([1, 2, 4, 16]),
      prefetch: ordering === "key" ? (random.one(0.2) ? 16 : 250) : random.pick([1, 4, 32]),
      policy: random.pick(["short", "growing", "long"]),
      on: on.length === 0 ? [0] : on,
      ...actorOf(RandomSource.forPurpose(seed, "actor", i)),
      ...parkingAndBatchOf(RandomSource.forPurpose(seed, "rooms", i), ordering, weights)
    })
    if (RandomSource.forPurpose(seed, "default", i).one(0.5)) leaveDefault(subscribers, i)
    const last = subscribers[i]
    if (last?.batch !== undefined) subscribers[i] = { ...last, prefetch: Math.max(last.prefetch, last.batch.size) }
  }

  const commands: Partial<Record<Command, number>> = { publish: random.int(10, 40) }
  const some = <K extends Command>(command: K, probability: number, weight: number): void => {
    if (random.one(probability)) commands[command] = random.int(1, weight)
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

  // Independent sources: the choices above stay as they are.
  const steer = RandomSource.forPurpose(seed, "steer")
  if (steer.one(0.3)) commands.setConcurrency = steer.int(1, 3)
  if (steer.one(0.2)) commands.pause = steer.int(1, 3)
  const claims: Partial<Record<ClaimFault, number>> = {}
  if (!peaceful && subscribers.some(({ idempotent }) => idempotent)) {
    for (const kind of claimFaults)
      if (steer.one(0.3)) claims[kind] = steer.next() * (kind.startsWith("crash") ? 0.06 : 0.2)
    if (steer.one(0.2)) commands.storeDown = steer.int(1, 2)
  }

  const rates = {
    send: {} as Record<string, number>,
    delivery: {} as Record<string, number>,
    ack: {} as Record<string, number>
  }
  const maybe = (table: Record<string, number>, kind: string, most: number): void => {
    if (random.one(0.25)) table[kind] = random.next() * most
  }
  if (!peaceful) {
    for (const kind of ["lose-confirm", "drop-confirm", "delay-confirm", "reject", "reject-but-store", "return"]) {
      maybe(rates.send, kind, 0.15)
    }
    for (const kind of ["cut-before-store", "cut-after-store", "crash-before-store", "crash-after-store"]) {
      maybe(rates.send, kind, 0.04)
    }
    for (const kind of ["cancel", "cut", "crash"]) maybe(rates.delivery, kind, 0.04)
    for (const kind of ["lose", "crash-before", "crash-after"]) maybe(rates.ack, kind, 0.04)
  }
  const storm = !peaceful && RandomSource.forPurpose(seed, "storm").one(0.1)
  return {
    seed,
    slots,
    subscribers,
    mix: { seed, weights, slow: random.pick([0, 0.2, 0.6]) },
    keys: Array.from({ length: random.pick([1, 2, 5]) }, (_, i) => `k${i}`),
    commands,
    count: random.int(15, 60) * (storm ? 2 : 1),
    returns: random.one(0.5) ? "in-place" : "behind",
    rates,
    faultLimit: random.int(2, 12) * (storm ? 4 : 1),
    cache: random.one(0.3) ? 0.5 : 0,
    claims,
    fleet: steer.one(0.5),
    publishTimeout: random.pick([2000, 5000, 15_000]),
    inFlight: random.pick([2, 10, 1000]),
    drain: random.pick([2000, 10_000]),
    peaceful
  }
}

/** Idempotency, breaker and rate limit: about half of the subscribers have one of them. */
const actorOf = (
  random: RandomSource.RandomSource
): Pick<Subscriber, "idempotent" | "onStoreDown" | "breaker" | "rateLimit"> => ({
  idempotent: random.one(0.45),
  onStoreDown: random.pick(["handle", "wait"]),
  ...(random.one(0.2) && { breaker: { failures: random.int(1, 4), openDuration: random.int(1, 8) * 500 } }),
  ...(random.one(0.2) && { rateLimit: { limit: random.int(1, 10), window: random.pick([200, 1000, 2500]) } })
})

/** Leaves out what happens to a blocked key, where that is not parking from the start. */
const leaveDefault = (subscribers: Array<Subscriber>, i: number): void => {
  const subscriber = subscribers[i]
  if (subscriber?.onBlocked === "dead-letter") subscribers[i] = { ...subscriber, onBlocked: undefined }
}

/** Parking and batches, from an independent source. */
const parkingAndBatchOf = (
  random: RandomSource.RandomSource,
  ordering: "none" | "key",
  weights: Mix["weights"]
): Pick<Subscriber, "onBlocked"> & Partial<Pick<Subscriber, "batch" | "policy" | "breaker" | "rateLimit">> => {
  const parks = ordering === "key" && random.one(0.4)
  // A handler that times out fails its whole batch, so the reference cannot count attempts. An event that has joined
  // a batch starts later than a breaker or a rate limit admitted it.
  const batched = random.one(0.3) && weights.timeout === undefined && weights.kill === undefined
  return {
    onBlocked: parks ? "park" : "dead-letter",
    ...(parks && random.one(0.5) && { policy: "patient" }),
    ...(batched && {
      batch: { size: random.pick([2, 5, 20]), maxWait: random.pick([1, 50, 400]) },
      breaker: undefined,
      rateLimit: undefined
    })
  }
}
