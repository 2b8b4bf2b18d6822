/**
 * What the connections of one broker know of its addresses together: where their lines are, and which fell silent. A
 * silent address is tried last. The others are tried in random order, but where a line is already: a verdict on that
 * address then holds for both lines.
 */
import type { Server } from "../Servers.ts"

/** An address that fell silent is one like the others again after this time. */
const rememberedMillis = 300_000

/** The longest time between two lines that are made anew because a channel stood still. */
const renewedMillis = 60_000

interface Line {
  readonly address: string
  readonly isPublishing: boolean
  readonly leave: (detail: string) => void
}

export class Addresses {
  private readonly now: () => number
  private readonly lines = new Set<Line>()
  private readonly silentSince = new Map<string, number>()
  /** The address that is dialled, or that a line is open to, by the role of the line. */
  private readonly dialled = new Map<string, string>()

  /** How many lines in a row were made anew because a channel stood still. */
  private renewals = 0
  private renewedAt = 0

  constructor(now: () => number) {
    this.now = now
  }

  /** The order in which to try these; `servers` are in random order. */
  order(servers: ReadonlyArray<Server>): ReadonlyArray<Server> {
    const used = new Set([...this.dialled.values(), ...[...this.lines].map(({ address }) => address)])
    const rank = ({ address }: Server): number => {
      // The longer ago, the sooner.
      if (this.isSilent(address)) return 1 + (this.silentSince.get(address) ?? 0)
      return used.has(address) ? Number.NEGATIVE_INFINITY : Number.MIN_SAFE_INTEGER
    }
    return servers.toSorted((one, other) => rank(one) - rank(other))
  }

  /** A line of this role dials that address, or has ended: lines that are made anew at once meet there. */
  dials(role: string, address: string | undefined): void {
    if (address === undefined) this.dialled.delete(role)
    else this.dialled.set(role, address)
  }

  /** A line to this address is up until the returned function is called; `leave` ends it. */
  entered(line: Line): () => void {
    this.lines.add(line)
    return () => void this.lines.delete(line)
  }

  /** Whether a line is there that asks whether messages are stored. */
  isAsked(address: string): boolean {
    return [...this.lines].some((line) => line.isPublishing && line.address === address)
  }

  /** What is there does not answer. */
  fellSilent(address: string): void {
    this.silentSince.set(address, this.now())
  }

  isSilent(address: string): boolean {
    return !this.mayRedial(address, rememberedMillis)
  }

  answered(address: string): void {
    this.silentSince.delete(address)
  }

  /** Whether it did not fall silent within this time. */
  mayRedial(address: string, millis: number): boolean {
    const since = this.silentSince.get(address)
    return since === undefined || this.now() - since >= millis
  }

  /** Whether a line may be made anew because a channel stands still: at once, and then in times that double. */
  mayRenew(millis: number): boolean {
    const patience = this.renewals === 0 ? 0 : Math.min(millis * 2 ** (this.renewals - 1), renewedMillis)
    return this.now() - this.renewedAt >= patience
  }

  /** A line is made anew for that; returns how many times in a row. */
  renewed(): number {
    this.renewedAt = this.now()
    return ++this.renewals
  }

  /** No channel stands still. */
  moves(): void {
    if (this.now() - this.renewedAt >= renewedMillis) this.renewals = 0
  }

  /** Ends all lines to an address that does not answer. */
  leave(address: string, detail: string): void {
    this.fellSilent(address)
    for (const line of this.lines) if (line.address === address) line.leave(detail)
  }
}
