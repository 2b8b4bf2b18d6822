/** The gate: compares contracts with a snapshot, proves their upcasters, and looks at who subscribes. */
import * as Effect from "effect/Effect"
import type * as Event from "../event/Event.ts"
import * as Compare from "./Compare.ts"
import * as Finding from "./Finding.ts"
import * as Key from "./Key.ts"
import * as Snapshot from "./Snapshot.ts"
import * as Subscribers from "./Subscribers.ts"
import * as Upcasters from "./Upcasters.ts"

/** What is found, in the order of events; what breaks comes first. */
export const run = (
  before: Snapshot.Snapshot,
  events: ReadonlyArray<Event.Any>,
  subscribers: ReadonlyArray<Subscribers.Subscriber> = []
): Effect.Effect<ReadonlyArray<Finding.Finding>> =>
  Effect.gen(function* () {
    const after = Snapshot.of(events)
    const same = yield* sameKeys(before, after, events)
    const proofs = yield* Effect.forEach(events, Upcasters.prove)
    const found = [
      ...Compare.compare(before, after, (event) => same.get(event)),
      ...proofs.flat(),
      ...events.flatMap(notCompared),
      ...Subscribers.check(before, after, subscribers)
    ]
    return found
      .map((finding) => ({ ...finding, subscribers: Subscribers.of(finding.event, subscribers) }))
      .toSorted((a, b) => order(a).localeCompare(order(b), "en"))
  })

/** A schema without a JSON Schema looks the same whatever changes in it. */
const notCompared = (event: Event.Any): ReadonlyArray<Finding.Finding> =>
  Snapshot.versionsOf(event).flatMap(({ data, version }) => {
    const after = Snapshot.notComparedOf(data)
    return after === undefined ? [] : [Finding.make("not-compared", { event: event.name, version, after })]
  })

const order = ({ event, field, level, rule, version }: Finding.Finding): string =>
  [level, event, String(version).padStart(6, "0"), rule, field].join(" ")

/** Whether keys that are written differently are the same, by events whose key differs: judged on generated values. */
const sameKeys = (before: Snapshot.Snapshot, after: Snapshot.Snapshot, events: ReadonlyArray<Event.Any>) =>
  Effect.gen(function* () {
    const same = new Map<string, boolean>()
    for (const event of events) {
      const [old, next] = [before.events[event.name], after.events[event.name]]
      if (old?.key == null || next?.key == null || old.key === next.key) continue
      // Values do not show what a condition decides.
      if (!Key.isPlain(old.key) || !Key.isPlain(next.key)) continue
      const { key, version } = old
      const values = yield* Upcasters.samples(event, version)
      const verdicts = values.map(({ newest, old: value }) => {
        const expected = Key.evaluate(key, value)
        return expected !== undefined && expected === event.keyOf(newest)
      })
      same.set(event.name, verdicts.length > 0 && verdicts.every(Boolean))
    }
    return same
  })
