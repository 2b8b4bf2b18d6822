/** The canaries that were sent over the delay ladder and what is known from them. One at a time is under way. */
import { randomUUID } from "node:crypto"
import type { SendOutcome } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { Series } from "../../observe/Meter.ts"
import * as Ladder from "../topology/DelayLadder.ts"

export interface Flight {
  readonly id: string
  readonly sentAt: number
  /** Wall time, for those who look. */
  readonly sent: Date
  /** Undefined until the broker has it. */
  storedAt: number | undefined
}

export interface FlightOptions {
  readonly namespace: string
  readonly everyMillis: number
  /** Monotonic time. */
  readonly now: () => number
  /** Wall time. */
  readonly wall: () => number
  readonly lateness: Series
}

/** How long a canary waits on the ladder. */
export const waitMillis = 1000

export class CanaryFlights {
  private readonly namespace: string
  private readonly everyMillis: number
  private readonly now: () => number
  private readonly wall: () => number
  private readonly lateness: Series
  private current: Flight | undefined
  /** Seconds that the last one was late. */
  private late: number | undefined
  /** Why the ladder does not work; until a canary comes home. */
  private fault: string | undefined
  /** Why no canary is sent. */
  private untried: string | undefined = "not tried yet"

  constructor({ everyMillis, lateness, namespace, now, wall }: FlightOptions) {
    this.namespace = namespace
    this.everyMillis = everyMillis
    this.now = now
    this.wall = wall
    this.lateness = lateness
  }

  begin(): Flight {
    const flight: Flight = {
      id: `canary-${randomUUID()}`,
      sentAt: this.now(),
      sent: new Date(this.wall()),
      storedAt: undefined
    }
    this.current = flight
    this.untried = undefined
    return flight
  }

  settled(flight: Flight, outcome: SendOutcome): void {
    if (this.current !== flight) return
    if (outcome._tag === "Confirmed" && outcome.routed) {
      flight.storedAt = this.now()
      return
    }
    this.current = undefined
    const queue = `queue ${Ladder.levelName(this.namespace, 0)}`
    if (outcome._tag === "Confirmed") this.fault = `${queue} is missing or not bound`
    else if (outcome._tag === "Rejected") this.fault = `${queue} refuses messages`
    else if (outcome._tag === "NotSent" && outcome.error.reason._tag !== "Connection")
      this.fault = outcome.error.message
  }

  arrived(id: unknown): void {
    if (this.current === undefined || this.current.id !== id) return
    this.late = this.secondsLate(this.current)
    this.lateness.update(this.late)
    this.current = undefined
    this.fault = undefined
  }

  /** Whether one is under way that is not lost yet. */
  isUnderWay(): boolean {
    if (this.current === undefined) return false
    // Grows while it is away, so that an alert on the metric sees it too.
    if (this.isAbsent(this.current)) this.lateness.update(this.secondsLate(this.current))
    if (this.now() - this.current.sentAt < this.everyMillis * 4) return true
    this.abandon()
    return false
  }

  /** Gives up the one under way. An absent one stays a fault until another comes home: a lost connection is no excuse for it. */
  abandon(): void {
    if (this.current !== undefined && this.isAbsent(this.current)) this.fault = absence(this.current)
    this.current = undefined
  }

  /** None could be sent. */
  failed(error: BrokerError): void {
    const { _tag } = error.reason
    if (_tag === "Permission" || _tag === "TopologyMissing") this.untried = `not tried: ${error.message}`
    else if (!error.isRetryable && _tag !== "Closed") this.fault = error.message
  }

  check(): { readonly status: "up" | "degraded"; readonly detail: string } {
    const { current, fault, late, untried } = this
    if (current !== undefined && this.isAbsent(current)) return { status: "degraded", detail: absence(current) }
    if (fault !== undefined) return { status: "degraded", detail: fault }
    const detail = late === undefined ? (untried ?? "on its way") : `the last message came ${late.toFixed(2)} s late`
    return { status: "up", detail }
  }

  private isAbsent({ storedAt }: Flight): boolean {
    return storedAt !== undefined && this.now() - storedAt > (this.everyMillis * 2) / 3
  }

  private secondsLate({ sentAt }: Flight): number {
    return Math.max(0, this.now() - sentAt - waitMillis) / 1000
  }
}

const absence = ({ sent }: Flight): string =>
  `a message for 1 second is away since ${sent.toISOString()}: retries and delayed events do not come home. Look for a subscriber's queue that refuses them: a max-length policy (rabbitmqctl list_policies; raise it, RabbitMQ may not notice that it is cleared), or no majority`
