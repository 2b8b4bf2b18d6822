/**
 * A set of contracts: those that one service publishes, or those of a whole company. A group can be matched with topic
 * patterns, decodes bodies by name and version, and describes itself as JSON Schema.
 */
import type * as JsonSchema from "effect/JsonSchema"
import * as Result from "effect/Result"
import * as WireFormat from "./WireFormat.ts"
import type * as Envelope from "./Envelope.ts"
import type * as Event from "./Event.ts"
import { EventDefinitionError, type InvalidEvent, type UnknownEvent, type UnknownVersion } from "./EventError.ts"
import * as Limits from "./Limits.ts"
import { matcher, type NameOf } from "./Name.ts"
import { documentOf } from "./standard/JsonSchemaOf.ts"

/** The events of a group that match a pattern. A subscriber binds the pattern and decodes with these contracts. */
export interface Match<out E extends Event.Any> {
  readonly pattern: string
  readonly events: ReadonlyArray<E>
}

/** A set of contracts with distinct names. */
export interface EventGroup<E extends Event.Any> {
  readonly events: ReadonlyArray<E>
  /** The contract with this name. */
  readonly get: (name: string) => E | undefined
  /** The contracts that match a topic pattern. Throws `EventDefinitionError` if none does. */
  readonly match: <const Pattern extends string>(
    pattern: Pattern
  ) => Match<Extract<E, { readonly name: NameOf<Pattern> }>>
  /** Decodes a body by its name and version. */
  readonly decode: (body: Uint8Array) => Result.Result<Envelope.Of<E>, InvalidEvent | UnknownVersion | UnknownEvent>
  /**
   * JSON Schema (draft 2020-12) of the data of each event, by name: of a Standard Schema, that of its input. Throws where its
   * library gives none.
   */
  readonly jsonSchema: () => Readonly<Record<string, JsonSchema.Document<"draft-2020-12">>>
}

/**
 * Makes a group. Throws `EventDefinitionError` if two contracts have the same name.
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
        remedy: "Keep one, and declare the older versions in its `previous`"
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
          remedy: `Its events are ${events.map((event) => event.name).join(", ")}`
        })
      }
      return { pattern, events: found }
    },
    decode: (body) => {
      const parsed = WireFormat.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength), Limits.defaults)
      if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
      // The contract with this name decoded the data, so its type is the member of the union with this name.
      return WireFormat.decode(parsed.success, byName.get(parsed.success.type)) as Result.Result<
        Envelope.Of<E[number]>,
        InvalidEvent | UnknownVersion | UnknownEvent
      >
    },
    jsonSchema: () => Object.fromEntries(events.map((event) => [event.name, documentOf(event.schema)]))
  }
}
