/** Keys, cache, sensitive fields, publishers, versions and the set of events. */
import { Schema } from "effect"
import { Event, sensitive } from "../../../src/index.ts"
import { fields, type Mutation, mutation } from "./Mutation.ts"

const { Int, String } = Schema
const Data = Schema.Struct({ a: String, b: String, kind: String })
type Data = typeof Data.Type
const name = "test.changed"

const keyed = (key?: (data: Data) => string) =>
  Event.make(name, { version: 1, data: Data, ...(key !== undefined && { key }) })

const keys: ReadonlyArray<Mutation> = [
  mutation(
    "the key is another field",
    keyed((data) => data.a),
    keyed((data) => data.b),
    "key-changed -: old new readers"
  ),
  mutation(
    "the key has one more field",
    keyed((data) => data.a),
    keyed((data) => `${data.a}/${data.b}`),
    "key-changed -: old new readers"
  ),
  mutation(
    "the key depends on a field",
    keyed((data) => data.b),
    keyed((data) => (data.kind === "x" ? data.a : data.b)),
    "key-changed -: old new readers"
  ),
  mutation(
    "a key is declared",
    keyed(),
    keyed((data) => data.a),
    "key-changed -: old new readers"
  ),
  mutation(
    "the key is gone",
    keyed((data) => data.a),
    keyed(),
    "key-changed -: old new readers"
  )
]

const cached = (cache?: Event.CacheSettings | false) =>
  Event.make(name, { version: 1, data: Data, ...(cache !== undefined && { cache }) })

const cache: ReadonlyArray<Mutation> = [
  mutation("nothing is remembered", cached(), cached(false), "cache-off -: readers"),
  mutation("the last event is not remembered", cached(), cached({ last: false }), "cache-off -: readers"),
  mutation("no history is kept", cached(), cached({ history: 0 }), "cache-off -: readers"),
  mutation("no history by key is kept", cached({ perKey: true }), cached(), "cache-off -: readers"),
  mutation("less history is kept", cached(), cached({ history: 50 }), "(cache-less -: readers)"),
  mutation("it is remembered for a while", cached(), cached({ timeToLive: "1 hour" }), "(cache-less -: readers)"),
  mutation("it is remembered now", cached(false), cached({ perKey: true, history: 500 }))
]

const secrets: ReadonlyArray<Mutation> = [
  fields("a field is sensitive no more", { a: sensitive(String) }, { a: String }, "sensitive-removed a: old new"),
  fields("a field becomes sensitive", { a: String }, { a: sensitive(String) }),
  fields("a sensitive field leaves", { a: String, b: sensitive(String) }, { a: String }, "field-removed b: old"),
  fields(
    "of sensitive fields one stays sensitive",
    { who: sensitive(Schema.Struct({ given: String, family: String })) },
    { who: Schema.Struct({ given: String, family: sensitive(String) }) },
    "sensitive-removed who: old new"
  ),
  fields(
    "all fields of a part become sensitive",
    { who: Schema.Struct({ given: String, family: sensitive(String) }) },
    { who: sensitive(Schema.Struct({ given: String, family: String })) }
  )
]

const published = (publishers?: {
  readonly roles?: ReadonlyArray<string>
  readonly statuses?: ReadonlyArray<string>
  readonly check?: () => boolean
}) => Event.make(name, { version: 1, data: Data, ...(publishers !== undefined && { publishers }) })

const publishers: ReadonlyArray<Mutation> = [
  mutation(
    "a role may publish no more",
    published({ roles: ["x", "y"] }),
    published({ roles: ["x"] }),
    "publishers-narrowed -: publishers"
  ),
  mutation(
    "one more role may publish",
    published({ roles: ["x"] }),
    published({ roles: ["x", "y"] }),
    "(publishers-widened -: old new)"
  ),
  mutation(
    "roles are named where everyone could publish",
    published(),
    published({ roles: ["x"] }),
    "publishers-narrowed -: publishers"
  ),
  mutation("everyone may publish", published({ roles: ["x"] }), published(), "(publishers-widened -: old new)"),
  mutation(
    "a status may publish no more",
    published({ roles: ["x"], statuses: ["active", "new"] }),
    published({ roles: ["x"], statuses: ["active"] }),
    "publishers-narrowed -: publishers"
  ),
  mutation(
    "a check is added",
    published({ roles: ["x"] }),
    published({ roles: ["x"], check: () => true }),
    "publishers-narrowed -: publishers"
  ),
  mutation(
    "a check is gone",
    published({ roles: ["x"], check: () => true }),
    published({ roles: ["x"] }),
    "(publishers-widened -: old new)"
  )
]

const other = Event.make("test.other", { version: 1, data: Schema.Struct({ n: Int }) })

const events: ReadonlyArray<Mutation> = [
  mutation("an event is removed", [keyed(), other], other, "event-removed -: old"),
  mutation(
    "an event is renamed",
    [keyed(), other],
    [Event.make("test.renamed", { version: 1, data: Data }), other],
    "event-renamed -: old"
  ),
  mutation("an event is added", other, [keyed(), other])
]

const V1 = Schema.Struct({ grade: Int })
const V2 = Schema.Struct({ grade: Int, scale: String })
const V3 = Schema.Struct({ points: Int, scale: String })
const v1 = Event.make(name, { version: 1, data: V1 })
const up1 = (old: typeof V1.Type): typeof V2.Type => ({ ...old, scale: "percent" })
const up2 = ({ grade, scale }: typeof V2.Type): typeof V3.Type => ({ points: grade, scale })
const v2 = Event.make(name, { version: 2, data: V2, previous: [{ version: 1, data: V1, up: up1 }] })
const v3 = Event.make(name, {
  version: 3,
  data: V3,
  previous: [
    { version: 1, data: V1, up: up1 },
    { version: 2, data: V2, up: up2 }
  ]
})

const previousOf = (data: typeof V1 | Schema.Codec<typeof V1.Type>) =>
  Event.make(name, { version: 2, data: V2, previous: [{ version: 1, data, up: up1 }] })
const upBy = (up: (old: typeof V1.Type) => typeof V2.Type, data: Schema.Codec<typeof V2.Type> = V2) =>
  Event.make(name, { version: 2, data, previous: [{ version: 1, data: V1, up }] })

const versions: ReadonlyArray<Mutation> = [
  mutation("a version is added with its upcaster", v1, v2, "(version-added -: old)"),
  mutation("two versions are added with their upcasters", v1, v3, "(version-added -: old)"),
  mutation(
    "a version is added without an upcaster",
    v1,
    Event.make(name, { version: 2, data: V2 }),
    "upcaster-missing -: new"
  ),
  mutation("a version is taken back", v2, v1, "version-lowered -: new"),
  mutation("the older version is given up", v2, Event.make(name, { version: 2, data: V2 }), "version-removed -: new"),
  mutation(
    "the older version is stricter than it was",
    v2,
    previousOf(Schema.Struct({ grade: Int.check(Schema.isGreaterThanOrEqualTo(0)) })),
    "check-tightened grade: new"
  ),
  mutation(
    "the older version accepts more than it did",
    previousOf(Schema.Struct({ grade: Int.check(Schema.isGreaterThanOrEqualTo(0)) })),
    previousOf(V1)
  ),
  mutation(
    "a version is added, and the one before is not what it was",
    v1,
    previousOf(Schema.Struct({ grade: Int.check(Schema.isLessThanOrEqualTo(100)) })),
    "(version-added -: old)",
    "check-tightened grade: new"
  ),
  mutation(
    "an upcaster gives what its version refuses",
    v1,
    upBy(
      (old) => ({ ...old, scale: old.grade > 5 ? "" : "x" }),
      Schema.Struct({ grade: Int, scale: Schema.NonEmptyString })
    ),
    "(version-added -: old)",
    "upcaster-fails -: new"
  ),
  mutation(
    "an upcaster throws",
    v1,
    upBy((old) => {
      if (old.grade < 0) throw new Error("negative")
      return { ...old, scale: "x" }
    }),
    "(version-added -: old)",
    "upcaster-fails -: new"
  ),
  mutation(
    "a version renames the field that is the key",
    Event.make(name, { version: 1, data: Schema.Struct({ id: String }), key: (data) => data.id }),
    Event.make(name, {
      version: 2,
      data: Schema.Struct({ userId: String }),
      key: (data) => data.userId,
      previous: [{ version: 1, data: Schema.Struct({ id: String }), up: ({ id }) => ({ userId: id }) }]
    }),
    "(version-added -: old)"
  ),
  mutation(
    "a version has another key",
    Event.make(name, { version: 1, data: Schema.Struct({ id: String }), key: (data) => data.id }),
    Event.make(name, {
      version: 2,
      data: Schema.Struct({ id: String, team: String }),
      key: (data) => data.team,
      previous: [{ version: 1, data: Schema.Struct({ id: String }), up: ({ id }) => ({ id, team: "none" }) }]
    }),
    "(version-added -: old)",
    "key-changed -: old new readers"
  )
]

const reply = { id: String, note: Schema.optionalKey(String) }
const Refused = Schema.TaggedStruct("Refused", { why: String })
const request = (fields: Schema.Struct.Fields, error?: Schema.Top & { readonly DecodingServices: never }) =>
  Event.request(name, {
    version: 1,
    data: Data,
    reply: Schema.Struct(fields) as never,
    ...(error !== undefined && { error: error as never })
  })

const requests: ReadonlyArray<Mutation> = [
  mutation(
    "a field of a reply is gone",
    request(reply),
    request({ note: reply.note }),
    "field-removed reply.id: askers"
  ),
  mutation(
    "a reply has one more field",
    request(reply),
    request({ ...reply, at: Int }),
    "field-added reply.at: askers"
  ),
  mutation("a reply has one more optional field", request(reply), request({ ...reply, at: Schema.optionalKey(Int) })),
  mutation(
    "a field of a reply has another type",
    request(reply),
    request({ ...reply, id: Int }),
    "type-changed reply.id: askers"
  ),
  mutation("errors are declared", request(reply), request(reply, Refused), "errors-added -: askers"),
  mutation("errors are declared no more", request(reply, Refused), request(reply), "(errors-removed -: askers)"),
  mutation(
    "a declared error changes",
    request(reply, Refused),
    request(reply, Schema.TaggedStruct("Refused", { because: Int })),
    "field-added error.because: askers",
    "field-removed error.why: askers"
  ),
  mutation(
    "a request becomes an event",
    request(reply),
    Event.make(name, { version: 1, data: Data }),
    "answers-removed -: askers"
  ),
  mutation("an event becomes a request", Event.make(name, { version: 1, data: Data, cache: false }), request(reply))
]

export const rows = [...requests, ...keys, ...cache, ...secrets, ...publishers, ...events, ...versions]
