/**
 * A set of contracts under one roof: what a service publishes, or what a company's services say to
 * each other. It answers to patterns, decodes anything by name and version, and describes itself as
 * JSON Schema.
 */
import { type JsonSchema, Result, Schema } from "effect"
import * as Codec from "./Codec.ts"
import type * as Envelope from "./Envelope.ts"
import type * as Event from "./Event.ts"
import { EventDefinitionError, type InvalidEvent, type UnknownEvent, type UnknownVersion } from "./EventError.ts"
import * as Limits from "./Limits.ts"
import { matcher, type NameOf } from "./Name.ts"

/** The events of a group that match a pattern; a subscriber binds the pattern and knows these contracts. */
export interface Match<out E extends Event.Any> {
  readonly pattern: string
  readonly events: ReadonlyArray<E>
}

export interface EventGroup<E extends Event.Any> {
  readonly events: ReadonlyArray<E>
  readonly get: (name: string) => E | undefined
  /** The contracts that match a topic pattern. Throws `EventDefinitionError` when none does. */
  readonly match: <const Pattern extends string>(
    pattern: Pattern
  ) => Match<Extract<E, { readonly name: NameOf<Pattern> }>>
  /** Decodes a body by its name and version. */
  readonly decode: (body: Uint8Array) => Result.Result<Envelope.Of<E>, InvalidEvent | UnknownVersion | UnknownEvent>
  /** JSON Schema (draft 2020-12) of the data of each event, by name. */
  readonly jsonSchema: () => Readonly<Record<string, JsonSchema.Document<"draft-2020-12">>>
}

/**
 * Throws `EventDefinitionError` when two contracts have one name.
 *
 * @example
 * ```ts
 * import { Event, EventGroup } from "@eduflow/events"
 * import { Schema } from "effect"
 *
 * const Enrolled = Event.make("academic.course.enrolled", { version: 1, data: Schema.Struct({ courseId: Schema.String }) })
 * const Left = Event.make("academic.course.left", { version: 1, data: Schema.Struct({ courseId: Schema.String }) })
 *
 * export const academic = EventGroup.make(Enrolled, Left)
 * export const aboutCourses = academic.match("academic.course.*")
 * ```
 */
export const make = <const E extends ReadonlyArray<Event.Any>>(...events: E): EventGroup<E[number]> => {
  const byName = new Map<string, E[number]>()
  for (const event of events) {
    if (byName.has(event.name)) {
      throw new EventDefinitionError({
        event: event.name,
        problem: "two contracts of this group have this name",
        remedy: "Keep one, or raise its version with `previous`"
      })
    }
    byName.set(event.name, event)
  }
  return {
    events,
    get: (name) => byName.get(name),
    match: <const Pattern extends string>(pattern: Pattern) => {
      const matches = matcher(pattern)
      const found = events.filter((event): event is Extract<E[number], { readonly name: NameOf<Pattern> }> =>
        matches(event.name)
      )
      if (found.length === 0) {
        throw new EventDefinitionError({
          event: pattern,
          problem: "no event of this group matches this pattern",
          remedy: `The group has ${events.map((event) => event.name).join(", ")}`
        })
      }
      return { pattern, events: found }
    },
    decode: (body) => {
      const parsed = Codec.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength), Limits.defaults)
      if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
      // The contract found by name made this data, which is what the union says of that name.
      return Codec.decode(parsed.success, byName.get(parsed.success.type)) as Result.Result<
        Envelope.Of<E[number]>,
        InvalidEvent | UnknownVersion | UnknownEvent
      >
    },
    jsonSchema: () => Object.fromEntries(events.map((event) => [event.name, Schema.toJsonSchemaDocument(event.schema)]))
  }
}
