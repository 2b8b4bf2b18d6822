/**
 * What clients have sent and the embedded broker has not answered. It takes one after the other, has it
 * stored, and answers; with faults also otherwise. Each send is answered exactly once, or never when its
 * process is dead.
 */
import type { Outgoing, SendOutcome } from "../bus/Broker.ts"
import type { CutOff, Peer } from "./Connections.ts"
import * as Deque from "./Deque.ts"
import type { Faults } from "./Faults.ts"
import type { Namespace } from "./Namespace.ts"

/** A class and no literal, as `bus/Message` says. */
export class Send {
  readonly peer: Peer
  readonly namespace: Namespace
  readonly message: Outgoing
  done: (outcome: SendOutcome) => void

  constructor(peer: Peer, namespace: Namespace, message: Outgoing, done: (outcome: SendOutcome) => void) {
    this.peer = peer
    this.namespace = namespace
    this.message = message
    this.done = done
  }
}

export interface Sends {
  readonly push: (send: Send) => void
  /** Takes what came before this turn; whether there is more to do in the next one. */
  readonly turn: () => boolean
  /** Sends without an answer. */
  readonly size: () => number
  /** What these clients wait for is lost. */
  readonly lose: (whose: (peer: Peer) => boolean, open: CutOff) => void
  /** One that closes: what it sent arrives in its turn, but its answers do not. */
  readonly leave: (peer: Peer) => void
  /** A dead process, which hears nothing. */
  readonly forget: (peer: Peer, open: CutOff) => void
}

/**
 * In one turn. About what one consumer takes: were it more, a queue would grow under a burst that its consumer
 * keeps up with, and what waits long costs the garbage collector more than all the rest of an event.
 */
const most = 256

export const make = (options: {
  /** Stores it where it belongs; whether anything took it. */
  readonly store: (send: Send) => boolean
  readonly isBlocked: () => boolean
  readonly faults: Faults | undefined
  readonly cut: (peer: Peer) => void
  readonly crash: (peer: Peer) => void
}): Sends => {
  const { crash, cut, faults, isBlocked, store } = options
  const inbound = Deque.make<Send>()
  /** Stored, and never answered. */
  const silent = new Set<Send>()
  /** Stored, with the turns until the answer. */
  const late = new Map<Send, number>()

  const take = (send: Send): void => {
    const fault = faults?.onSend(send.peer.name, send.message.properties.messageId) ?? "none"
    switch (fault) {
      case "none":
        return send.done(store(send) ? routed : unrouted)
      case "lose confirm":
        store(send)
        return send.done(lost)
      case "drop confirm":
        store(send)
        silent.add(send)
        return
      case "delay confirm":
        // What nobody takes is told at once: the answer to it would be another one.
        if (!store(send)) return send.done(unrouted)
        late.set(send, faults?.lateTurns() ?? 1)
        return
      case "reject":
        return send.done(rejected)
      case "reject but store":
        store(send)
        return send.done(rejected)
      case "return":
        return send.done(unrouted)
      case "cut before store":
      case "cut after store":
        if (fault === "cut after store") store(send)
        silent.add(send)
        return cut(send.peer)
      case "crash before store":
      case "crash after store":
        if (fault === "crash after store") store(send)
        return crash(send.peer)
    }
  }
  const answerLate = (): void => {
    for (const [send, turns] of late) {
      if (turns > 1) late.set(send, turns - 1)
      else if (late.delete(send)) send.done(routed)
    }
  }
  /** Takes out what is stored and unanswered of these clients. */
  const removeStored = (whose: (peer: Peer) => boolean): Array<Send> => {
    const gone = [...silent, ...late.keys()].filter(({ peer }) => whose(peer))
    for (const send of gone) {
      silent.delete(send)
      late.delete(send)
    }
    return gone
  }
  /** The same with what has not been taken. */
  const remove = (whose: (peer: Peer) => boolean, open: CutOff): ReadonlyArray<Send> => {
    const gone = removeStored(whose)
    const all = inbound.toArray()
    inbound.clear()
    for (const send of all) {
      if (!whose(send.peer)) inbound.push(send)
      else {
        if (open === "stored") store(send)
        gone.push(send)
      }
    }
    return gone
  }

  return {
    push: inbound.push,
    turn: () => {
      if (late.size > 0) answerLate()
      // What answers send anew is of the next turn; what they cut off or block is over at once.
      for (let count = Math.min(inbound.size(), most); count > 0 && !isBlocked(); count--) {
        const send = inbound.shift()
        if (send === undefined) break
        take(send)
      }
      return late.size > 0 || (inbound.size() > 0 && !isBlocked())
    },
    size: () => inbound.size() + silent.size + late.size,
    lose: (whose, open) => {
      for (const send of remove(whose, open)) send.done(lost)
    },
    leave: (peer) => {
      for (const send of removeStored((other) => other === peer)) send.done(lost)
      for (const send of inbound.toArray()) {
        if (send.peer !== peer) continue
        const { done } = send
        send.done = () => {}
        done(lost)
      }
    },
    forget: (peer, open) => {
      remove((other) => other === peer, open)
    }
  }
}

const routed: SendOutcome = { _tag: "Confirmed", routed: true }
const unrouted: SendOutcome = { _tag: "Confirmed", routed: false }
const rejected: SendOutcome = { _tag: "Rejected" }
const lost: SendOutcome = { _tag: "Lost" }
