/**
 * The messages that clients have sent and the embedded broker has not answered. It takes them one after the other,
 * has them stored, and answers; with faults it may do otherwise. Each send is answered exactly once, or never when its
 * process is dead.
 */
import type { InFlightMessage, Outgoing, SendOutcome } from "../bus/port/Broker.ts"
import { rejected, routed, unknown, unrouted } from "../bus/port/SendOutcome.ts"
import * as Deque from "./Deque.ts"
import type { Faults, SendFault } from "./Faults.ts"
import type { Namespace } from "./Namespace.ts"
import type { CutOff, Peer } from "./Peer.ts"

/** A class and not a literal: see bus/port/OutgoingMessage.ts. */
export class Send {
  readonly peer: Peer
  readonly namespace: Namespace
  readonly message: Outgoing
  /** Undefined once it is answered before the server takes it. */
  private inFlight: InFlightMessage | undefined

  constructor(peer: Peer, namespace: Namespace, inFlight: InFlightMessage) {
    this.peer = peer
    this.namespace = namespace
    this.message = inFlight.message
    this.inFlight = inFlight
  }

  answer(outcome: SendOutcome): void {
    this.inFlight?.answered(outcome)
  }

  /** The client does not see what the server answers later. */
  answerEarly(outcome: SendOutcome): void {
    const { inFlight } = this
    this.inFlight = undefined
    inFlight?.answered(outcome)
  }
}

export interface SendsOptions {
  /** Stores it where it belongs; returns whether a queue took it. */
  readonly store: (send: Send) => boolean
  readonly isBlocked: () => boolean
  readonly faults: Faults | undefined
  readonly cut: (peer: Peer) => void
  readonly crash: (peer: Peer) => void
}

/**
 * Sends of one turn. About what one consumer takes: with more, a queue would grow under a burst that its consumer keeps
 * up with, and what waits long costs the garbage collector more than all the rest of an event.
 */
const sendsPerTurn = 256

export class Sends {
  private readonly options: SendsOptions
  private readonly inbound = Deque.make<Send>()
  /** Stored, and never answered. */
  private readonly silent = new Set<Send>()
  /** Stored, with the turns until the answer. */
  private readonly late = new Map<Send, number>()

  constructor(options: SendsOptions) {
    this.options = options
  }

  push(send: Send): void {
    this.inbound.push(send)
  }

  /** Takes what came before this turn; returns whether there is more to do in the next one. */
  turn(): boolean {
    const { inbound, options } = this
    if (this.late.size > 0) this.answerLate()
    // A send that an answer causes waits for the next turn; one that is cut off or blocked meanwhile ends the turn.
    for (let count = Math.min(inbound.size(), sendsPerTurn); count > 0 && !options.isBlocked(); count--) {
      const send = inbound.shift()
      if (send === undefined) break
      if (options.faults === undefined) send.answer(options.store(send) ? routed : unrouted)
      else this.takeWithFaults(send, options.faults)
    }
    return this.late.size > 0 || (inbound.size() > 0 && !options.isBlocked())
  }

  /** Sends without an answer. */
  size(): number {
    return this.inbound.size() + this.silent.size + this.late.size
  }

  /** The answers to these clients are lost. */
  lose(whose: (peer: Peer) => boolean, open: CutOff): void {
    for (const send of this.remove(whose, open)) send.answer(unknown)
  }

  /** For a client that closes: its sends arrive in their turn, but their answers do not. */
  leave(peer: Peer): void {
    for (const send of this.removeStored((other) => other === peer)) send.answer(unknown)
    for (const send of this.inbound.toArray()) {
      if (send.peer !== peer) continue
      send.answerEarly(unknown)
    }
  }

  /** For a client whose process is dead: nothing is answered. */
  forget(peer: Peer, open: CutOff): void {
    this.remove((other) => other === peer, open)
  }

  private takeWithFaults(send: Send, faults: Faults): void {
    const { cut, crash, store } = this.options
    const fault = faults.onSend(send.peer.name, send.message.properties.messageId)
    const isStored = stored.has(fault) && store(send)
    switch (fault) {
      case "none":
        return send.answer(isStored ? routed : unrouted)
      case "lose-confirm":
        return send.answer(unknown)
      case "drop-confirm":
        return void this.silent.add(send)
      case "delay-confirm":
        // Without a queue the answer is another one, and comes at once.
        if (!isStored) return send.answer(unrouted)
        return void this.late.set(send, faults.lateTurns())
      case "reject":
      case "reject-but-store":
        return send.answer(rejected)
      case "return":
        return send.answer(unrouted)
      case "cut-before-store":
      case "cut-after-store":
        this.silent.add(send)
        return cut(send.peer)
      case "crash-before-store":
      case "crash-after-store":
        return crash(send.peer)
    }
  }

  private answerLate(): void {
    for (const [send, turns] of this.late) {
      if (turns > 1) this.late.set(send, turns - 1)
      else if (this.late.delete(send)) send.answer(routed)
    }
  }

  /** Takes out what is stored and unanswered of these clients. */
  private removeStored(whose: (peer: Peer) => boolean): Array<Send> {
    const removed = [...this.silent, ...this.late.keys()].filter(({ peer }) => whose(peer))
    for (const send of removed) {
      this.silent.delete(send)
      this.late.delete(send)
    }
    return removed
  }

  /** The same with what no turn has taken. */
  private remove(whose: (peer: Peer) => boolean, open: CutOff): ReadonlyArray<Send> {
    const removed = this.removeStored(whose)
    const all = this.inbound.toArray()
    this.inbound.clear()
    for (const send of all) {
      if (!whose(send.peer)) this.inbound.push(send)
      else {
        if (open === "stored") this.options.store(send)
        removed.push(send)
      }
    }
    return removed
  }
}

/** The faults of a send that is stored all the same. */
const stored: ReadonlySet<SendFault> = new Set<SendFault>([
  "none",
  "lose-confirm",
  "drop-confirm",
  "delay-confirm",
  "reject-but-store",
  "cut-after-store",
  "crash-after-store"
])
