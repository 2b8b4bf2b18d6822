/**
 * Whether the bus kept its promises in a run: a reference of what had to become of each event, against
 * what the ledger says and what is left on the broker.
 */
import { Effect } from "effect"
import type { DeadLetter } from "../../src/bus/DeadLetters.ts"
import * as Behaviour from "./Behaviour.ts"
import type { Intent, Ledger, Sent } from "./Ledger.ts"
import type { Subscriber } from "./Setup.ts"
import { numberOf } from "./Tap.ts"
import type { World } from "./World.ts"

export interface Figures {
  readonly published: number
  readonly confirmed: number
  readonly unknown: number
  readonly handled: number
  readonly duplicates: number
  /** Idempotent, and applied again: its process was killed between the effect and the mark, or the store failed. */
  readonly appliedTwiceKilled: number
  readonly appliedTwiceStore: number
  readonly deadLetters: number
  readonly faults: number
  readonly processesEnded: number
  readonly simulatedMillis: number
}

type Letters = ReadonlyMap<number, ReadonlyArray<DeadLetter>>

export const of = Effect.fnUntraced(function* (world: World) {
  const { ledger, setup } = world
  let duplicates = 0
  let handled = 0
  let dead = 0
  for (const subscriber of setup.subscribers) {
    const letters = yield* lettersOf(world, subscriber)
    checkSubscriber(world, subscriber, letters)
    for (const fate of ledger.fates.values()) {
      if (fate.subscriber !== subscriber.name) continue
      if (fate.done > 0) handled++
      const published = ledger.intents.get(fate.n)?.length ?? 1
      duplicates += Math.max(0, fate.done - published)
    }
    for (const all of letters.values()) dead += all.length
  }
  // One that is sent again comes again to each of its subscribers.
  if (duplicates > ledger.disturbances * setup.subscribers.length) {
    ledger.violate("P3", `${duplicates} events were handled twice, with ${ledger.disturbances} disturbances`)
  }
  const twice = world.actors.verdict()
  const intents = [...ledger.intents.values()].flat()
  for (const intent of intents) checkOutcome(world, intent)
  return {
    published: intents.length,
    confirmed: intents.filter(({ told }) => told?._tag === "Confirmed").length,
    unknown: intents.filter(({ told }) => told?._tag === "Failed" && told.reason === "Unknown").length,
    handled,
    duplicates,
    appliedTwiceKilled: twice.killed,
    appliedTwiceStore: twice.store,
    deadLetters: dead,
    faults: world.faults.count() + world.actors.faults(),
    processesEnded: world.ended(),
    simulatedMillis: ledger.now()
  } satisfies Figures
})

const lettersOf = Effect.fnUntraced(function* (world: World, subscriber: Subscriber) {
  const letters = new Map<number, Array<DeadLetter>>()
  const [process] = world.processes()
  if (process === undefined || !world.registered.has(subscriber.name)) return letters
  const found = yield* Effect.catch(process.letters.list(subscriber.name, { limit: 10_000 }), (error) => {
    world.ledger.violate("P8", `the dead letters of ${subscriber.name} cannot be listed: ${error.message}`)
    return Effect.succeed([])
  })
  for (const letter of found) {
    const n = numberOf(letter.body)
    if (n === undefined) continue
    letters.set(n, [...(letters.get(n) ?? []), letter])
  }
  return letters
})

// -- what its publisher was told (P1, P2) ---------------------------------------------------------------

const nothingSent = new Set(["Invalid", "Denied", "Unavailable", "Overloaded"])

const checkOutcome = ({ ledger, setup }: World, intent: Intent): void => {
  const { n, told } = intent
  const sends = (ledger.sends.get(n) ?? []).filter(({ answer, to }) => to === "Event" && answer !== "NotSent")
  const answers = sends.map(({ answer }) => answer)
  const bad = (detail: string): void => ledger.violate("P2", detail, n)
  if (told === undefined) return bad("its publisher was never told")
  const handledBy = setup.subscribers.filter(({ name }) => (ledger.fates.get(`${name}/${n}`)?.starts ?? 0) > 0)
  const only = (ledger.intents.get(n)?.length ?? 0) === 1
  if (told._tag === "NotReached" || (told._tag === "Failed" && nothingSent.has(told.reason))) {
    const what = told._tag === "NotReached" ? "not reached" : told.reason
    if (only && sends.length > 0) bad(`its publisher was told ${what}, and it was sent`)
    if (only && handledBy.length > 0) bad(`its publisher was told ${what}, and ${handledBy[0]?.name} handled it`)
  }
  if (intent.toldAt - intent.at > intent.timeout + 200 && told._tag !== "Unheard" && !intent.pipelined) {
    bad(`its publisher was told after ${intent.toldAt - intent.at} ms of ${intent.timeout}`)
  }
  if (told._tag === "Confirmed") {
    const confirmed = answers.filter((answer) => answer === "Routed" || answer === "Unrouted")
    if (confirmed.length === 0) ledger.violate("P1", "its publisher was told Confirmed, and the broker did not", n)
    else if (told.routed === true && !answers.includes("Routed")) bad("its publisher was told that it reached somebody")
  }
  if (told._tag !== "Failed" || !only) return
  const unresolved = answers.some((answer) => answer === "Lost" || answer === undefined)
  switch (told.reason) {
    case "Unknown":
      // What was sent and has no answer when the deadline comes may be answered after it.
      if (answers.length === 0) bad("its publisher was told Unknown, and nothing was sent")
      return
    case "Rejected":
      if (!answers.includes("Rejected")) bad("its publisher was told Rejected, and the broker did not reject it")
      if (unresolved) bad("its publisher was told Rejected, and an answer was lost")
      return
    case "Unroutable":
      if (!intent.mandatory) bad("its publisher was told Unroutable without `mandatory`")
      if (unresolved) bad("its publisher was told Unroutable, and an answer was lost")
      if (!answers.includes("Rejected") && handledBy.length > 0)
        bad(`its publisher was told Unroutable, and ${handledBy[0]?.name} handled it`)
      return
  }
}

// -- what became of it (P3, P6, P8) -----------------------------------------------------------------------

/** Whether this publish brought it to somebody, as far as the broker said. */
const accepted = (ledger: Ledger, intent: Intent): boolean =>
  intent.told?._tag === "Confirmed" &&
  (ledger.sends.get(intent.n) ?? []).some(({ answer, to }: Sent) => to === "Event" && answer === "Routed")

const checkSubscriber = (world: World, subscriber: Subscriber, letters: Letters): void => {
  const { ledger, setup } = world
  const { name } = subscriber
  const wants = new Set<string>(subscriber.events)
  const owed = [...ledger.intents.values()].flat().filter(({ bound, event }) => bound.has(name) && wants.has(event))
  if (!world.deleted.has(name)) {
    for (const intent of owed) {
      if (!accepted(ledger, intent)) continue
      const fate = ledger.fates.get(`${name}/${intent.n}`)
      if ((fate?.done ?? 0) > 0 || letters.has(intent.n)) continue
      ledger.violate("P3", `${name} has neither handled it nor a dead letter of it`, intent.n)
    }
  }
  for (const fate of ledger.fates.values()) {
    if (fate.subscriber !== name) continue
    if (!ledger.intents.has(fate.n)) ledger.violate("P2", `${name} got what nobody published`, fate.n)
  }
  for (const [n, all] of letters) for (const letter of all) checkLetter(world, subscriber, n, letter)
  // Returned behind others that came back, as RabbitMQ 3.10 has it, more than a window loses its order.
  const kept = setup.returns === "in place" || subscriber.prefetch >= 250
  if (subscriber.ordering === "key" && kept) checkOrder(world, subscriber, letters)
}

const checkLetter = (world: World, subscriber: Subscriber, n: number, letter: DeadLetter): void => {
  const { ledger, setup } = world
  const bad = (detail: string): void => ledger.violate("P8", `the dead letter of ${subscriber.name} ${detail}`, n)
  const behaviour = Behaviour.of(setup.mix, subscriber.name, n)
  const end = Behaviour.endOf(behaviour, subscriber.policy)
  if (letter.eventId !== ledger.ids.get(n)) bad(`has the id ${letter.eventId}`)
  if (letter.subscriber !== subscriber.name) bad(`says ${letter.subscriber}`)
  if (ledger.bodies.get(n)?.has(letter.body.toString()) !== true) bad("has other bytes")
  if ((letter.firstFailure ?? 0) > (letter.lastFailure ?? 0)) bad("failed last before it failed first")
  if (isCrashLoop(world, subscriber, n, letter)) return
  // A lane that is full gives up its head, if that has failed.
  if (
    letter.reason === "LaneFull" &&
    subscriber.ordering === "key" &&
    subscriber.onBlocked === "dead-letter" &&
    subscriber.prefetch < 250 &&
    // Or if somebody who died had claimed it.
    (behaviour.kind !== "ok" || subscriber.idempotent)
  )
    return
  if (end._tag === "Handled") return bad(`is there, for ${letter.reason}: it was to be handled (${behaviour.kind})`)
  if (letter.reason !== end.reason) return bad(`says ${letter.reason}, not ${end.reason} (${behaviour.kind})`)
  if (end.attempts !== undefined && letter.attempts !== end.attempts)
    bad(`says ${letter.attempts} attempts, not ${end.attempts}`)
  const tag = Behaviour.errorTags[behaviour.kind]
  if (tag !== undefined && letter.error.tag !== tag) bad(`says ${letter.error.tag}, not ${tag}`)
}

/** Ten returns make a dead letter of anything that is the first of a consumer: a run may have so many. */
const isCrashLoop = (world: World, subscriber: Subscriber, n: number, letter: DeadLetter): boolean => {
  if (letter.reason !== "CrashLoop") return false
  if (Behaviour.of(world.setup.mix, subscriber.name, n).kind === "kill") return true
  const fate = world.ledger.fates.get(`${subscriber.name}/${n}`)
  // Of what is parked each start is written down: the second return makes it suspicious, and so do five starts.
  return (fate?.returns ?? 0) >= 10 || (subscriber.onBlocked === "park" && (fate?.redelivered ?? 0) >= 6)
}

/** By key one is settled before the next one starts for the first time (P6). */
const checkOrder = (world: World, subscriber: Subscriber, letters: Letters): void => {
  const { ledger } = world
  const byKey = new Map<string, Array<Intent>>()
  for (const intent of [...ledger.intents.values()].flat()) {
    if (intent.event !== "keyed" || !subscriber.events.includes("keyed") || !intent.bound.has(subscriber.name)) continue
    byKey.set(intent.key, [...(byKey.get(intent.key) ?? []), intent])
  }
  if (world.deleted.has(subscriber.name)) return
  for (const [key, intents] of byKey) {
    // By the order of their publishes: one of a key begins when the one before it has its outcome.
    const before: Array<Intent> = []
    for (const intent of intents.toSorted((a, b) => a.startedAt - b.startedAt)) {
      if (!inOrder(world, subscriber, intent)) continue
      const start = ledger.fates.get(`${subscriber.name}/${intent.n}`)?.firstStart ?? 0
      for (const earlier of start === 0 ? [] : before) {
        const settled = ledger.fates.get(`${subscriber.name}/${earlier.n}`)?.settled ?? 0
        if (settled > 0 && settled < start) continue
        // Dead-lettered by the broker itself, beyond its delivery limit: nobody saw when.
        if (settled === 0 && letters.has(earlier.n)) continue
        ledger.violate(
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

/** What P6 speaks of: not what was delayed, put off, rejected, returned or never confirmed. */
const inOrder = ({ ledger, setup }: World, subscriber: Subscriber, intent: Intent): boolean => {
  if (!accepted(ledger, intent) || intent.delayed) return false
  const { kind } = Behaviour.of(setup.mix, subscriber.name, intent.n)
  if (kind === "later" || kind === "later for ever" || kind === "kill") return false
  return !(ledger.sends.get(intent.n) ?? []).some(
    ({ answer, to }) => to === "Event" && (answer === "Rejected" || answer === "Unrouted")
  )
}
