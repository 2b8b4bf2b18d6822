/**
 * Whether the bus kept its promises in a run: a reference says how each event had to end; the observations and
 * what is left on the broker say how it ended.
 */
import { Effect } from "effect"
import type { DeadLetter } from "../../src/bus/deadletter/DeadLetters.ts"
import * as HandlerScript from "./HandlerScript.ts"
import type { Intent, Observations, Sent } from "./Observations.ts"
import type { Subscriber } from "./Setup.ts"
import { numberOf } from "./ObservedBroker.ts"
import type { World } from "./World.ts"

export interface Figures {
  readonly published: number
  readonly confirmed: number
  readonly unknown: number
  readonly handled: number
  readonly duplicates: number
  /** Idempotent, and applied again: its process was killed between the effect and the done mark, or the store failed. */
  readonly appliedTwiceKilled: number
  readonly appliedTwiceStore: number
  readonly deadLetters: number
  readonly faults: number
  readonly processesEnded: number
  readonly simulatedMillis: number
}

type Letters = ReadonlyMap<number, ReadonlyArray<DeadLetter>>

export const check = Effect.fnUntraced(function* (world: World) {
  const { observed, setup } = world
  let duplicates = 0
  let handled = 0
  let dead = 0
  for (const subscriber of setup.subscribers) {
    const letters = yield* lettersOf(world, subscriber)
    checkSubscriber(world, subscriber, letters)
    for (const fate of observed.fates.values()) {
      if (fate.subscriber !== subscriber.name) continue
      if (fate.done > 0) handled++
      const published = observed.intents.get(fate.n)?.length ?? 1
      duplicates += Math.max(0, fate.done - published)
    }
    for (const all of letters.values()) dead += all.length
  }
  // An event that is sent again arrives again at each of its subscribers.
  if (duplicates > observed.disturbances * setup.subscribers.length) {
    observed.violate("P3", `${duplicates} events were handled twice, with ${observed.disturbances} disturbances`)
  }
  const twice = world.applied.check()
  const intents = [...observed.intents.values()].flat()
  for (const intent of intents) checkOutcome(world, intent)
  return {
    published: intents.length,
    confirmed: intents.filter(({ outcome }) => outcome?._tag === "Confirmed").length,
    unknown: intents.filter(({ outcome }) => outcome?._tag === "Failed" && outcome.reason === "Unknown").length,
    handled,
    duplicates,
    appliedTwiceKilled: twice.killed,
    appliedTwiceStore: twice.store,
    deadLetters: dead,
    faults: world.faults.count() + world.claims.count,
    processesEnded: world.processes.ended,
    simulatedMillis: observed.now()
  } satisfies Figures
})

const lettersOf = Effect.fnUntraced(function* (world: World, subscriber: Subscriber) {
  const letters = new Map<number, Array<DeadLetter>>()
  const [process] = world.processes.ready()
  if (process === undefined || !world.registered.has(subscriber.name)) return letters
  const found = yield* Effect.catch(process.letters.list(subscriber.name, { limit: 10_000 }), (error) => {
    world.observed.violate("P8", `the dead letters of ${subscriber.name} cannot be listed: ${error.message}`)
    return Effect.succeed([])
  })
  for (const letter of found) {
    const n = numberOf(letter.body)
    if (n === undefined) continue
    letters.set(n, [...(letters.get(n) ?? []), letter])
  }
  return letters
})

// -- outcomes: confirmed means stored, every publish has one (P1, P2) ------------------------------------

const nothingSent = new Set(["Invalid", "Denied", "Unavailable", "Overloaded"])

const checkOutcome = ({ observed, setup }: World, intent: Intent): void => {
  const { n, outcome } = intent
  const sends = (observed.sends.get(n) ?? []).filter(({ answer, to }) => to === "Event" && answer !== "NotSent")
  const answers = sends.map(({ answer }) => answer)
  const bad = (detail: string): void => observed.violate("P2", detail, n)
  if (outcome === undefined) return bad("its publish never had an outcome")
  const handledBy = setup.subscribers.filter(({ name }) => (observed.fates.get(`${name}/${n}`)?.starts ?? 0) > 0)
  const only = (observed.intents.get(n)?.length ?? 0) === 1
  if (outcome._tag === "NotReached" || (outcome._tag === "Failed" && nothingSent.has(outcome.reason))) {
    const what = outcome._tag === "NotReached" ? "not reached" : outcome.reason
    if (only && sends.length > 0) bad(`its outcome was ${what}, and it was sent`)
    if (only && handledBy.length > 0) bad(`its outcome was ${what}, and ${handledBy[0]?.name} handled it`)
  }
  if (intent.outcomeAt - intent.at > intent.timeout + 200 && outcome._tag !== "Unheard" && !intent.pipelined) {
    bad(`its outcome came after ${intent.outcomeAt - intent.at} ms of ${intent.timeout}`)
  }
  if (outcome._tag === "Confirmed") {
    const confirmed = answers.filter((answer) => answer === "Routed" || answer === "Unrouted")
    if (confirmed.length === 0)
      observed.violate("P1", "its outcome was Confirmed, and the broker did not confirm it", n)
    else if (outcome.routed === true && !answers.includes("Routed"))
      bad("its outcome was routed, and it reached no queue")
  }
  if (outcome._tag !== "Failed" || !only) return
  const unresolved = answers.some((answer) => answer === "Unknown" || answer === undefined)
  switch (outcome.reason) {
    case "Unknown":
      // A send without an answer at the deadline may be answered later.
      if (answers.length === 0) bad("its outcome was Unknown, and nothing was sent")
      return
    case "Rejected":
      if (!answers.includes("Rejected")) bad("its outcome was Rejected, and the broker did not reject it")
      if (unresolved) bad("its outcome was Rejected, and an answer was lost")
      return
    case "Unroutable":
      if (!intent.mandatory) bad("its outcome was Unroutable without `mandatory`")
      if (unresolved) bad("its outcome was Unroutable, and an answer was lost")
      if (!answers.includes("Rejected") && handledBy.length > 0)
        bad(`its outcome was Unroutable, and ${handledBy[0]?.name} handled it`)
      return
  }
}

// -- ends: handled or dead-lettered, in order, complete (P3, P6, P8) --------------------------------------

/** Whether the broker confirmed this publish for at least one queue. */
const accepted = (observed: Observations, intent: Intent): boolean =>
  intent.outcome?._tag === "Confirmed" &&
  (observed.sends.get(intent.n) ?? []).some(({ answer, to }: Sent) => to === "Event" && answer === "Routed")

const checkSubscriber = (world: World, subscriber: Subscriber, letters: Letters): void => {
  const { observed, setup } = world
  const { name } = subscriber
  const wants = new Set<string>(subscriber.events)
  const owed = [...observed.intents.values()].flat().filter(({ bound, event }) => bound.has(name) && wants.has(event))
  if (!world.deleted.has(name)) {
    for (const intent of owed) {
      if (!accepted(observed, intent)) continue
      const fate = observed.fates.get(`${name}/${intent.n}`)
      if ((fate?.done ?? 0) > 0 || letters.has(intent.n)) continue
      observed.violate("P3", `${name} has neither handled it nor a dead letter of it`, intent.n)
    }
  }
  for (const fate of observed.fates.values()) {
    if (fate.subscriber !== name) continue
    if (!observed.intents.has(fate.n)) observed.violate("P2", `${name} got an event that was never published`, fate.n)
  }
  for (const [n, all] of letters) for (const letter of all) checkLetter(world, subscriber, n, letter)
  // RabbitMQ 3.10 returns an event behind others that came back: more than one window loses its order.
  const kept = setup.returns === "in-place" || subscriber.prefetch >= 250
  if (subscriber.ordering === "key" && kept) checkOrder(world, subscriber, letters)
}

const checkLetter = (world: World, subscriber: Subscriber, n: number, letter: DeadLetter): void => {
  const { observed, setup } = world
  const bad = (detail: string): void => observed.violate("P8", `the dead letter of ${subscriber.name} ${detail}`, n)
  const script = HandlerScript.of(setup.mix, subscriber.name, n)
  const end = HandlerScript.endOf(script, subscriber.policy)
  if (letter.eventId !== observed.ids.get(n)) bad(`has the id ${letter.eventId}`)
  if (letter.subscriber !== subscriber.name) bad(`says ${letter.subscriber}`)
  if (observed.bodies.get(n)?.has(letter.body.toString()) !== true) bad("has other bytes")
  if ((letter.firstFailure ?? 0) > (letter.lastFailure ?? 0)) bad("failed last before it failed first")
  if (isCrashLoop(world, subscriber, n, letter)) return
  // A full lane gives up its head, if that has failed.
  if (
    letter.reason === "LaneFull" &&
    subscriber.ordering === "key" &&
    subscriber.onBlocked === "dead-letter" &&
    subscriber.prefetch < 250 &&
    // Or if a dead process had claimed it.
    (script.kind !== "ok" || subscriber.idempotent)
  )
    return
  if (end._tag === "Handled") return bad(`is there, for ${letter.reason}: it was to be handled (${script.kind})`)
  if (letter.reason !== end.reason) return bad(`says ${letter.reason}, not ${end.reason} (${script.kind})`)
  // A handler takes turns and no time, so a jump of the simulated clock can run into its deadline. That attempt
  // stands in the letter's history; it replaces one of the script, or is one more.
  const held = end.attempts === 0 || script.kind === "reject" ? timeoutsOf(letter) : 0
  if (end.attempts !== undefined && (letter.attempts < end.attempts || letter.attempts > end.attempts + held))
    bad(`says ${letter.attempts} attempts, not ${end.attempts}`)
  const tag = HandlerScript.errorTags[script.kind]
  if (tag !== undefined && letter.error.tag !== tag) bad(`says ${letter.error.tag}, not ${tag}`)
}

const timeoutsOf = ({ failures }: DeadLetter): number => failures.filter(({ tag }) => tag === "HandlerTimeout").length

/** A run may end a process in one handler again and again. What never started is never dead-lettered for it. */
const isCrashLoop = (world: World, subscriber: Subscriber, n: number, letter: DeadLetter): boolean => {
  if (letter.reason !== "CrashLoop") return false
  if (HandlerScript.of(world.setup.mix, subscriber.name, n).kind === "kill") return true
  const fate = world.observed.fates.get(`${subscriber.name}/${n}`)
  const { cutShort = 0, redelivered = 0, returns = 0, starts = 0 } = fate ?? {}
  // Without ordering the last five of ten returns are starts that did not end, or the process ended before it could start.
  if (subscriber.ordering === "none") return returns >= 10 && starts + cutShort >= 5
  // Each start of a parked event that came back twice is recorded, and three that do not end make it a killer.
  return returns >= 10 || redelivered >= 4
}

/** Order by key (P6): an event is settled before the next one of its key starts for the first time. */
const checkOrder = (world: World, subscriber: Subscriber, letters: Letters): void => {
  const { observed } = world
  const byKey = new Map<string, Array<Intent>>()
  for (const intent of [...observed.intents.values()].flat()) {
    if (intent.event !== "keyed" || !subscriber.events.includes("keyed") || !intent.bound.has(subscriber.name)) continue
    byKey.set(intent.key, [...(byKey.get(intent.key) ?? []), intent])
  }
  if (world.deleted.has(subscriber.name)) return
  for (const [key, intents] of byKey) {
    // In the order of their publishes: a publish of a key begins when the one before it has its outcome.
    const before: Array<Intent> = []
    for (const intent of intents.toSorted((a, b) => a.startedAt - b.startedAt)) {
      if (!inOrder(world, subscriber, intent)) continue
      const start = observed.fates.get(`${subscriber.name}/${intent.n}`)?.firstStart ?? 0
      for (const earlier of start === 0 ? [] : before) {
        const settled = observed.fates.get(`${subscriber.name}/${earlier.n}`)?.settled ?? 0
        if (settled > 0 && settled < start) continue
        // The broker itself dead-lettered it, beyond its delivery limit: nothing records when.
        if (settled === 0 && letters.has(earlier.n)) continue
        observed.violate(
          "P6",
          `${subscriber.name} started it (line ${start}) before #${earlier.n} of its key ${key} was settled (line ${settled})`,
          intent.n
        )
        break
      }
      before.push(intent)
    }
  }
}

/** Order by key (P6) does not cover events that were delayed, postponed, rejected, returned or never confirmed. */
const inOrder = ({ observed, setup }: World, subscriber: Subscriber, intent: Intent): boolean => {
  if (!accepted(observed, intent) || intent.delayed) return false
  const { kind } = HandlerScript.of(setup.mix, subscriber.name, intent.n)
  if (kind === "later" || kind === "later for ever" || kind === "kill") return false
  return !(observed.sends.get(intent.n) ?? []).some(
    ({ answer, to }) => to === "Event" && (answer === "Rejected" || answer === "Unrouted")
  )
}
