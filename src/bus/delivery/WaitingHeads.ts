/**
 * The first events of keys that wait in this process. Behind one of them at most half of the prefetch window waits. And
 * behind all that wait for a second or longer and may be parked no more than that waits together either, and with
 * themselves no more than three quarters of the window, so that there is room for other keys. Beyond a bound the head with
 * the most events behind it leaves its lane.
 */
import * as Effect from "effect/Effect"
import * as RenewedSet from "../support/RenewedSet.ts"
import { wait, type WakeReason, type Work } from "./Work.ts"

/** An event blocks no other for longer than this. */
export const longMillis = 1000

export class WaitingHeads {
  private readonly window: { readonly size: number }
  private readonly heads = RenewedSet.make<Work>()
  /** Those that wait for long. */
  private readonly long = RenewedSet.make<Work>()
  private behindOf: (head: Work) => number = () => 0

  constructor(window: { readonly size: number }) {
    this.window = window
  }

  /** `behindOf` is how many deliveries of the window wait behind a head. */
  count(behindOf: (head: Work) => number): void {
    this.behindOf = behindOf
  }

  /** How many deliveries may wait behind heads. */
  limit(): number {
    return Math.floor(this.window.size / 2)
  }

  /** How many deliveries wait behind all heads that wait for long. */
  behind(): number {
    let behind = 0
    for (const head of this.long) behind += this.behindOf(head)
    return behind
  }

  /** Whether heads that wait for long leave too little of the window to other keys. */
  private areTooMany(): boolean {
    const behind = this.behind()
    if (behind > this.limit()) return true
    let heads = 0
    // A parked one takes no room in the window.
    for (const head of this.long) if (!head.origin.parked) heads++
    return heads + behind > Math.floor(0.75 * this.window.size)
  }

  /** Waits as a head, and returns why the wait ended: at once when more would wait behind it than may. */
  wait(head: Work, millis: number, isLong: boolean): Effect.Effect<"Elapsed" | WakeReason> {
    return Effect.suspend((): Effect.Effect<"Elapsed" | WakeReason> => {
      this.heads.add(head)
      if (isLong) this.long.add(head)
      if (!this.makeRoom(head)) return Effect.succeed("LaneFull")
      return Effect.ensuring(
        wait(head, millis),
        Effect.sync(() => this.delete(head))
      )
    })
  }

  /** Called when a delivery was added to a lane, with the number of all that are held. */
  arrived(held: number): void {
    if (this.heads.size > 0 && held > this.limit()) this.makeRoom()
  }

  private delete(head: Work): void {
    this.heads.delete(head)
    this.long.delete(head)
  }

  /** Makes heads leave their lanes until no more waits than may. Returns false when `own` was one of them. */
  private makeRoom(own?: Work): boolean {
    const limit = this.limit()
    for (;;) {
      const head =
        this.largest(this.heads, own, limit) ?? (this.areTooMany() ? this.largest(this.long, own, -1) : undefined)
      if (head === undefined) return true
      this.delete(head)
      if (head === own) return false
      head.wake?.("LaneFull")
    }
  }

  /** The one with the most events behind it, of those that can leave and have more than `least` behind them. */
  private largest(heads: Iterable<Work>, own: Work | undefined, least: number): Work | undefined {
    let found: Work | undefined
    let most = least
    for (const head of heads) {
      const behind = this.behindOf(head)
      if (behind <= most || (head !== own && head.wake === undefined)) continue
      most = behind
      found = head
    }
    return found
  }
}
