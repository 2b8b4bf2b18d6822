/**
 * The names in use. Subscribers of one name share a queue, so each event reaches one of them: with two behaviours,
 * chance would decide which of them an event gets. Buses of one process and source that stand on the same broker and
 * namespace share their names; a bus of another source is as another process, which may run older code.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type * as Event from "../../event/Event.ts"
import type { ForeignEvents } from "./ForeignEvents.ts"
import * as SubscriberSettings from "./SubscriberSettings.ts"
import type { Subscription } from "./Subscription.ts"
import { writtenOf } from "./WrittenHandler.ts"

/** What a subscriber does, as far as another one of its name must do the same. */
export interface Behaviour {
  readonly handler: unknown
  /** What it binds, and the contracts it reads. */
  readonly events: string
}

export interface Holder extends Behaviour {
  /** Undefined while it starts. */
  subscription: Subscription | undefined
}

type Holders = Map<string, Set<Holder>>

const ofProcess: Holders = new Map()

export class SubscriberNames {
  private readonly place: string
  private readonly holders: Holders

  /** `place` is what the buses have in common whose subscribers share queues. Without it, the names are of one bus. */
  constructor(place?: string) {
    this.place = place ?? ""
    this.holders = place === undefined ? new Map() : ofProcess
  }

  /** Holds a name until the current scope ends. Fails when the name is in use for something else. */
  readonly hold = Effect.fnUntraced({ self: this }, function* (name: string, { events, handler }: Behaviour) {
    const key = `${this.place}\n${name}`
    const holders = this.holders.get(key) ?? new Set<Holder>()
    for (const holder of holders) {
      if (hasEnded(holder) || (holder.handler === handler && holder.events === events)) continue
      return yield* SubscriberSettings.nameInUse(
        name,
        holder.handler === handler ? `other events: ${holder.events}` : "another handler"
      )
    }
    const holder: Holder = { events, handler, subscription: undefined }
    this.holders.set(key, holders.add(holder))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        holders.delete(holder)
        if (holders.size === 0 && this.holders.get(key) === holders) this.holders.delete(key)
      })
    )
    return holder
  })
}

/** The names of a bus; undefined for names of its own. */
export const CurrentNames: Context.Reference<SubscriberNames | undefined> = Context.Reference<
  SubscriberNames | undefined
>("@eduflow/events/bus/CurrentNames", { defaultValue: () => undefined })

const hasEnded = ({ subscription }: Holder): boolean => {
  if (subscription === undefined) return false
  const { _tag } = SubscriptionRef.getUnsafe(subscription.status)
  return _tag === "Draining" || _tag === "Stopped" || _tag === "Failed"
}

export const behaviourOf = <E extends Event.Any, Err, R>({
  contracts,
  foreign,
  inbox,
  patterns,
  plan
}: SubscriberSettings.Settled<E, Err, R>): Behaviour => ({
  handler: writtenOf(plan.handler),
  events: `${(foreign === undefined ? patterns : placesOf(foreign)).toSorted().join(", ")} (${Array.from(
    contracts.values(),
    ({ name, version }) => `${name} ${version}`
  )
    .toSorted()
    .join(", ")})${plan._tag === "Batch" ? " in batches" : ""}${inbox ? " with an inbox" : ""}`
})

const placesOf = ({ from: { bindings, queues } }: ForeignEvents<Event.Any>): ReadonlyArray<string> => [
  ...queues.map((queue) => `queue ${queue}`),
  ...bindings.map(
    (binding) => `exchange ${binding.exchange} ${binding.routingKey} ${JSON.stringify(binding.arguments)}`
  )
]
