/**
 * The clients of the embedded broker and their connections: cut off, alone or with all others, blocked, closed, or
 * dead. Each client is notified of its own status; its open sends are answered or lost.
 */
import { BrokerError } from "../bus/port/BrokerError.ts"
import { Closed, ConnectionFailed } from "../bus/port/BrokerReason.ts"
import type { Faults } from "./Faults.ts"
import type { CutOff, Peer } from "./Peer.ts"
import { type Send, Sends } from "./Sends.ts"

/** The faults of the server as the consumers of one client meet them. */
export interface LinkFaults {
  /** Called after each delivery; `end` ends its consumer. */
  readonly delivered: (id: string, end: () => void) => void
  /** Called for each acknowledgement that counts; returns whether it did. */
  readonly acknowledged: (id: string, settle: () => boolean, end: () => void) => boolean
}

export interface ConnectionsOptions {
  readonly now: () => number
  /** Asks for a turn. */
  readonly schedule: () => void
  readonly store: (send: Send) => boolean
  readonly faults: Faults | undefined
  /** Runs the action after this many milliseconds. */
  readonly later: (millis: number, action: () => void) => void
}

export class Connections {
  readonly sends: Sends
  private readonly options: ConnectionsOptions
  private readonly peers = new Set<Peer>()
  /** Clients whose own connection is lost. */
  private readonly away = new Set<Peer>()
  private connected = true
  private blocked: string | undefined

  constructor(options: ConnectionsOptions) {
    this.options = options
    this.sends = new Sends({
      store: options.store,
      isBlocked: () => this.blocked !== undefined,
      faults: options.faults,
      cut: (peer) => this.flap(peer),
      crash: (peer) => this.crash(peer)
    })
  }

  open(peer: Peer): { readonly linkFaults: LinkFaults | undefined; readonly close: () => void } {
    this.peers.add(peer)
    if (!this.connected || this.blocked !== undefined) this.notify(peer)
    return {
      linkFaults: this.linkFaults(peer),
      close: () => {
        this.peers.delete(peer)
        this.away.delete(peer)
        this.sends.leave(peer)
      }
    }
  }

  block(detail: string): void {
    this.blocked = detail
    this.notifyAll()
  }

  unblock(): void {
    if (this.blocked === undefined) return
    this.blocked = undefined
    this.notifyAll()
    this.options.schedule()
  }

  cutAll(open: CutOff): void {
    if (!this.connected) return
    this.connected = false
    this.notifyAll()
    this.sends.lose(() => true, open)
    this.options.schedule()
  }

  reconnect(): void {
    if (this.connected) return
    this.connected = true
    this.notifyAll()
  }

  cut(name: string, open: CutOff): void {
    this.cutWhere((peer) => peer.name === name, open)
  }

  restore(name: string): void {
    this.restoreWhere((peer) => peer.name === name)
  }

  sever(name: string, open: CutOff): void {
    const severed = [...this.peers].filter((peer) => peer.name === name)
    for (const peer of severed) this.severOne(peer, open)
  }

  private notify(peer: Peer): void {
    const since = this.options.now()
    if (!this.connected || this.away.has(peer)) {
      return peer.onStatus({ _tag: "Connecting", since, error: unreachable }, unreachable)
    }
    peer.onStatus(
      this.blocked === undefined ? { _tag: "Up", since } : { _tag: "Blocked", since, detail: this.blocked },
      undefined
    )
  }

  private notifyAll(): void {
    for (const peer of this.peers) this.notify(peer)
  }

  private cutWhere(whose: (peer: Peer) => boolean, open: CutOff): void {
    const cut = new Set([...this.peers].filter((peer) => !this.away.has(peer) && whose(peer)))
    for (const peer of cut) this.away.add(peer)
    // Notify first: a client that sends again because an answer is lost must already be cut off.
    for (const peer of cut) this.notify(peer)
    this.sends.lose((peer) => cut.has(peer), open)
    this.options.schedule()
  }

  private restoreWhere(whose: (peer: Peer) => boolean): void {
    const back = [...this.away].filter(whose)
    for (const peer of back) if (this.away.delete(peer) && this.connected) this.notify(peer)
  }

  private severOne(peer: Peer, open: CutOff): void {
    if (!this.peers.delete(peer)) return
    this.away.delete(peer)
    this.sends.forget(peer, open)
    peer.onStatus({ _tag: "Closed", since: this.options.now() }, dead)
    this.options.schedule()
  }

  /** Loses a connection for a while; it is restored by itself. */
  private flap(peer: Peer): void {
    const { faults, later } = this.options
    this.cutWhere((other) => other === peer, "not-stored")
    later(faults?.outageMillis() ?? 0, () => this.restoreWhere((other) => other === peer))
  }

  private crash(peer: Peer): void {
    this.severOne(peer, "not-stored")
    this.options.faults?.crashed(peer.name)
  }

  private linkFaults(peer: Peer): LinkFaults | undefined {
    const { faults } = this.options
    if (faults === undefined) return undefined
    return {
      delivered: (id, end) => {
        const fault = faults.onDelivery(peer.name, id)
        if (fault === "cancel") end()
        else if (fault === "cut") this.flap(peer)
        else if (fault === "crash") this.crash(peer)
      },
      acknowledged: (id, settle, end) => {
        const fault = faults.onAck(peer.name, id)
        if (fault === "none") return settle()
        if (fault === "crash-after") settle()
        if (fault === "lose") end()
        else this.crash(peer)
        return true
      }
    }
  }
}

const unreachable = new BrokerError({
  reason: new ConnectionFailed({ address: "the embedded broker", detail: "the connection was cut" })
})
const dead = new BrokerError({ reason: new Closed() })
