/**
 * Who is connected to the embedded broker, and what becomes of it: cut off, alone or with all others,
 * blocked, closed, or dead. Each client hears of its own state, and what it waits for is answered or lost.
 */
import type { BrokerStatus } from "../bus/Broker.ts"
import { BrokerError, Closed, ConnectionFailed } from "../bus/BrokerError.ts"
import type { Faults } from "./Faults.ts"
import * as Sends from "./Sends.ts"

/** One client as the server knows it. */
export interface Peer {
  /** What the server calls it; several may have one name. */
  readonly name: string
  readonly namespace: string
  /** What its status became, and why nothing can be done, if so. */
  readonly onStatus: (status: BrokerStatus, fault: BrokerError | undefined) => void
}

/** What happens to the sends that have no answer yet when the connection is cut. */
export type CutOff = "stored" | "not stored"

/** The faults of the server as one client's consumers meet them. */
export interface LinkFaults {
  /** Called behind each delivery; `end` ends its consumer. */
  readonly delivered: (id: string, end: () => void) => void
  /** Called for each acknowledgement that counts; whether it did. */
  readonly acknowledged: (id: string, settle: () => boolean, end: () => void) => boolean
}

export interface Connections {
  readonly sends: Sends.Sends
  readonly open: (peer: Peer) => { readonly linkFaults: LinkFaults | undefined; readonly close: () => void }
  readonly block: (detail: string) => void
  readonly unblock: () => void
  readonly cutAll: (open: CutOff) => void
  readonly reconnect: () => void
  readonly cut: (name: string, open: CutOff) => void
  readonly restore: (name: string) => void
  readonly sever: (name: string, open: CutOff) => void
}

export const make = (options: {
  readonly now: () => number
  /** Asks for a turn. */
  readonly schedule: () => void
  readonly store: (send: Sends.Send) => boolean
  readonly faults: Faults | undefined
  readonly later: (millis: number, action: () => void) => void
}): Connections => {
  const { faults, later, now, schedule, store } = options
  const peers = new Set<Peer>()
  /** Those whose own connection is lost. */
  const away = new Set<Peer>()
  let connected = true
  let blocked: string | undefined

  const tellOne = (peer: Peer): void => {
    const since = now()
    if (!connected || away.has(peer)) {
      return peer.onStatus({ _tag: "Connecting", since, error: unreachable }, unreachable)
    }
    peer.onStatus(
      blocked === undefined ? { _tag: "Up", since } : { _tag: "Blocked", since, detail: blocked },
      undefined
    )
  }
  const tell = (): void => {
    for (const peer of peers) tellOne(peer)
  }
  const cut = (whose: (peer: Peer) => boolean, open: CutOff): void => {
    const those = new Set([...peers].filter((peer) => !away.has(peer) && whose(peer)))
    for (const peer of those) away.add(peer)
    // First the clients: what they send while they hear that an answer is lost is not sent.
    for (const peer of those) tellOne(peer)
    sends.lose((peer) => those.has(peer), open)
    schedule()
  }
  const restore = (whose: (peer: Peer) => boolean): void => {
    const back = [...away].filter(whose)
    for (const peer of back) if (away.delete(peer) && connected) tellOne(peer)
  }
  const sever = (peer: Peer, open: CutOff): void => {
    if (!peers.delete(peer)) return
    away.delete(peer)
    sends.forget(peer, open)
    peer.onStatus({ _tag: "Closed", since: now() }, dead)
    schedule()
  }
  /** A connection that is lost by chance is made again by itself. */
  const flap = (peer: Peer): void => {
    cut((other) => other === peer, "not stored")
    later(faults?.outageMillis() ?? 0, () => restore((other) => other === peer))
  }
  const crash = (peer: Peer): void => {
    sever(peer, "not stored")
    faults?.crashed(peer.name)
  }
  const sends = Sends.make({ store, isBlocked: () => blocked !== undefined, faults, cut: flap, crash })
  const linkFaults = (peer: Peer): LinkFaults | undefined =>
    faults && {
      delivered: (id, end) => {
        const fault = faults.onDelivery(peer.name, id)
        if (fault === "cancel") end()
        else if (fault === "cut") flap(peer)
        else if (fault === "crash") crash(peer)
      },
      acknowledged: (id, settle, end) => {
        const fault = faults.onAck(peer.name, id)
        if (fault === "none") return settle()
        if (fault === "crash after") settle()
        if (fault === "lose") end()
        else crash(peer)
        return true
      }
    }
  const named =
    (name: string) =>
    (peer: Peer): boolean =>
      peer.name === name

  return {
    sends,
    open: (peer) => {
      peers.add(peer)
      if (!connected || blocked !== undefined) tellOne(peer)
      return {
        linkFaults: linkFaults(peer),
        close: () => {
          peers.delete(peer)
          away.delete(peer)
          sends.leave(peer)
        }
      }
    },
    block: (detail) => {
      blocked = detail
      tell()
    },
    unblock: () => {
      if (blocked === undefined) return
      blocked = undefined
      tell()
      schedule()
    },
    cutAll: (open) => {
      if (!connected) return
      connected = false
      tell()
      sends.lose(() => true, open)
      schedule()
    },
    reconnect: () => {
      if (connected) return
      connected = true
      tell()
    },
    cut: (name, open) => cut(named(name), open),
    restore: (name) => restore(named(name)),
    sever: (name, open) => {
      const those = [...peers].filter(named(name))
      for (const peer of those) sever(peer, open)
    }
  }
}

const unreachable = new BrokerError({
  reason: new ConnectionFailed({ address: "the embedded broker", detail: "the connection was cut" })
})
const dead = new BrokerError({ reason: new Closed() })
