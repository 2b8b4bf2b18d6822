/**
 * Wakes the relays of this process when one of its transactions has appended something. Relays in other processes are woken
 * by the database where it can do that, and ask by themselves otherwise.
 */
import * as Context from "effect/Context"

export class Wake {
  private readonly sleepers = new Set<() => void>()

  /** Returns a function that ends it. */
  onAppended(wake: () => void): () => void {
    this.sleepers.add(wake)
    return () => void this.sleepers.delete(wake)
  }

  appended(): void {
    for (const wake of this.sleepers) wake()
  }
}

/** One for all outboxes of a process: a relay that is woken in vain asks once. */
export const CurrentWake: Context.Reference<Wake> = Context.Reference<Wake>("@eduflow/events/outbox/Wake", {
  defaultValue: () => new Wake()
})
