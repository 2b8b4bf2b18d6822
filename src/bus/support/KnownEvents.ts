/**
 * The events that this process subscribes to or publishes. A publish that reaches nobody is most often a name that
 * somebody misspelled: the nearest of these names is probably the one that was meant. Their contracts are what the
 * process says of itself in its fleet.
 */
import type * as Event from "../../event/Event.ts"
import { nearest } from "../../event/options/OptionNames.ts"

/** A process that makes up names must not fill the memory with them. */
const maxNames = 1_000

/** The contracts of one event in this process. */
export interface UsedContract {
  readonly published: Event.Any | undefined
  /** Where subscribers have different ones, the one that knows least. */
  readonly handled: Event.Any | undefined
}

export class KnownEvents {
  private readonly names = new Set<string>()
  private readonly used = new Map<string, UsedContract>()
  /** Called when a contract is published for the first time. */
  onPublished: () => void = () => {}

  add(name: string): void {
    if (this.names.size < maxNames) this.names.add(name)
  }

  publishes(event: Event.Any): void {
    this.add(event.name)
    if (!this.isNoted(event.name)) return
    this.used.set(event.name, { handled: this.used.get(event.name)?.handled, published: event })
    this.onPublished()
  }

  handles(event: Event.Any): void {
    this.add(event.name)
    const before = this.used.get(event.name)
    if (!this.isNoted(event.name) || (before?.handled?.version ?? Number.POSITIVE_INFINITY) <= event.version) return
    this.used.set(event.name, { published: before?.published, handled: event })
  }

  get contracts(): ReadonlyMap<string, UsedContract> {
    return this.used
  }

  /** Events of the runtime are the same wherever its version is. */
  private isNoted(name: string): boolean {
    return !name.startsWith("bus.") && (this.used.size < maxNames || this.used.has(name))
  }

  /** The known name that is nearest to this one, if one is near: at most a quarter of its letters differ. */
  nearest(name: string): string | undefined {
    const others = [...this.names].filter((known) => known !== name)
    return nearest(name, others, Math.max(2, Math.floor(name.length / 4)))
  }
}
