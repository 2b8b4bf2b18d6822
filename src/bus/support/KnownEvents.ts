/**
 * The names of the events that this process subscribes to or publishes. A publish that reaches nobody is most often a
 * name that somebody misspelled: the nearest of these names is probably the one that was meant.
 */
import { nearest } from "../../event/options/OptionNames.ts"

/** A process that makes up names must not fill the memory with them. */
const maxNames = 1_000

export class KnownEvents {
  private readonly names = new Set<string>()

  add(name: string): void {
    if (this.names.size < maxNames) this.names.add(name)
  }

  /** The known name that is nearest to this one, if one is near: at most a quarter of its letters differ. */
  nearest(name: string): string | undefined {
    const others = [...this.names].filter((known) => known !== name)
    return nearest(name, others, Math.max(2, Math.floor(name.length / 4)))
  }
}
