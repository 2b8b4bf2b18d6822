/**
 * The operations over HTTP. What changes something is a POST with `apply=true` in its query: without it the answer says
 * what would be done.
 */
import * as Schema from "effect/Schema"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Reports from "../operations/Reports.ts"
import { after, selection, source } from "../operations/Selection.ts"
import * as WebReports from "./WebReports.ts"

const fault = { error: Schema.String, problem: Schema.String }

/** What was asked for cannot be done as it is asked. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", fault, { httpApiStatus: 400 }) {}
export class Missing extends Schema.TaggedError<Missing>()("Missing", fault, { httpApiStatus: 404 }) {}
/** RabbitMQ or Redis could not do it, or could not be reached. */
export class Failed extends Schema.TaggedError<Failed>()("Failed", fault, { httpApiStatus: 503 }) {}

/** Says what is wrong with a path, a query or a body. */
export class Malformed extends HttpApiMiddleware.Service<Malformed>()("@eduflow/events/web/Malformed", {
  error: Refused
}) {}

const errors = [Refused, Missing, Failed] as const
const whole = Schema.FiniteFromString.pipe(Schema.check(Schema.isInt()))
const isSet = Schema.optionalKey(Schema.Literals(["true", "false"]))
/** Names a replay or a discard for `/work`. */
const work = Schema.optionalKey(
  Schema.String.annotate({ description: "A name under which /api/work says how far it is" })
)

const expiresAfter = Schema.optionalKey(
  Schema.String.annotate({
    description: 'How long from now on events that expire may be handled, such as "30 minutes"'
  })
)

const session = HttpApiEndpoint.get("session", "/session", { success: WebReports.Session }).annotateMerge(
  OpenApi.annotations({ summary: "Who is asking, and what this server knows and allows" })
)

const running = HttpApiEndpoint.get("running", "/work", { success: WebReports.Work }).annotateMerge(
  OpenApi.annotations({ summary: "The replays and discards that run in this server, and how far they are" })
)

const doctor = HttpApiEndpoint.get("doctor", "/doctor", { success: Reports.Doctor }).annotateMerge(
  OpenApi.annotations({ summary: "What is wrong, and which command mends it" })
)

const sources = HttpApiEndpoint.get("sources", "/dead-letters", {
  success: Reports.Sources,
  error: errors
}).annotateMerge(OpenApi.annotations({ summary: "Which subscribers have dead letters, and how many" }))

const list = HttpApiEndpoint.get("list", "/dead-letters/:source", {
  params: { source },
  query: { ...selection, limit: Schema.optionalKey(whole), after },
  success: Reports.Letters,
  error: errors
}).annotateMerge(OpenApi.annotations({ summary: "A page of dead letters, oldest first; all of them stay" }))

const show = HttpApiEndpoint.get("show", "/dead-letters/:source/:id", {
  params: { source, id: Schema.String },
  query: { body: isSet },
  success: Reports.LetterDetail,
  error: errors
}).annotateMerge(
  OpenApi.annotations({
    summary:
      "One dead letter with its diagnosis; its body where the contract is known, without what that marks as sensitive"
  })
)

const replay = HttpApiEndpoint.post("replay", "/dead-letters/:source/replay", {
  params: { source },
  query: { apply: isSet, work },
  payload: Schema.Struct({
    ...selection,
    limit: Schema.optionalKey(Schema.Int),
    rate: Schema.optionalKey(Schema.Finite),
    maxReplays: Schema.optionalKey(Schema.Int),
    unsigned: Schema.optionalKey(Schema.Boolean),
    expiresAfter
  }),
  success: Reports.Replay,
  error: errors
}).annotateMerge(OpenApi.annotations({ summary: "Sends dead letters to their subscriber again" }))

const discard = HttpApiEndpoint.post("discard", "/dead-letters/:source/discard", {
  params: { source },
  query: { apply: isSet, work },
  payload: Schema.Struct({
    ...selection,
    limit: Schema.optionalKey(Schema.Int),
    all: Schema.optionalKey(Schema.Boolean)
  }),
  success: Reports.Discard,
  error: errors
}).annotateMerge(OpenApi.annotations({ summary: "Deletes dead letters for good" }))

const edit = HttpApiEndpoint.post("edit", "/dead-letters/:source/:id/edit", {
  params: { source, id: Schema.String },
  query: { apply: isSet },
  payload: Schema.Struct({
    data: Schema.optionalKey(Schema.Unknown.annotate({ description: "The whole new data" })),
    patch: Schema.optionalKey(
      Schema.Unknown.annotate({ description: "A merge patch (RFC 7396): null removes a field" })
    ),
    unsigned: Schema.optionalKey(Schema.Boolean),
    expiresAfter
  }),
  success: Reports.Edit,
  error: errors
}).annotateMerge(
  OpenApi.annotations({ summary: "Corrects the data of one dead letter, as its contract allows, and replays it" })
)

const event = Schema.String.annotate({ description: "Name of an event" })

const last = HttpApiEndpoint.get("last", "/last/:event", {
  params: { event },
  query: { key: Schema.optionalKey(Schema.Array(Schema.String)) },
  success: Reports.byCommand.last,
  error: errors
}).annotateMerge(OpenApi.annotations({ summary: "The last known event of each key, as Redis remembers it" }))

const history = HttpApiEndpoint.get("history", "/history/:event", {
  params: { event },
  query: { key: Schema.optionalKey(Schema.String), limit: Schema.optionalKey(whole) },
  success: Reports.byCommand.history,
  error: errors
}).annotateMerge(
  OpenApi.annotations({ summary: "The last events of a key, or of the event over all keys, newest first" })
)

const topology = HttpApiEndpoint.get("topology", "/topology", {
  success: Reports.byCommand["topology plan"],
  error: errors
}).annotateMerge(
  OpenApi.annotations({ summary: "Where RabbitMQ differs from what the known subscribers declare, and what mends it" })
)

const ps = HttpApiEndpoint.get("ps", "/ps", { success: Reports.byCommand.ps, error: errors }).annotateMerge(
  OpenApi.annotations({ summary: "Which processes run which subscribers, their state and lag, and what is paused" })
)

const subscriber = Schema.String.annotate({ description: "Name of a subscriber" })

const pause = HttpApiEndpoint.post("pause", "/subscribers/:subscriber/pause", {
  params: { subscriber },
  query: { apply: isSet },
  payload: Schema.Struct({
    reason: Schema.optionalKey(Schema.String.annotate({ description: "The status of the subscriber says it" }))
  }),
  success: Reports.byCommand.pause,
  error: errors
}).annotateMerge(OpenApi.annotations({ summary: "Pauses a subscriber in all processes, until it is resumed" }))

const resume = HttpApiEndpoint.post("resume", "/subscribers/:subscriber/resume", {
  params: { subscriber },
  query: { apply: isSet },
  payload: Schema.Struct({}),
  success: Reports.byCommand.resume,
  error: errors
}).annotateMerge(OpenApi.annotations({ summary: "Ends the pause of an operator in all processes" }))

const release = HttpApiEndpoint.post("release", "/subscribers/:subscriber/release", {
  params: { subscriber },
  query: { apply: isSet },
  payload: Schema.Struct({
    key: Schema.optionalKey(Schema.String.annotate({ description: "The parked key; every parked key without it" }))
  }),
  success: Reports.byCommand.release,
  error: errors
}).annotateMerge(OpenApi.annotations({ summary: "Lets a parked key run before its time, or every parked key" }))

export const api = HttpApi.make("eventbus")
  .add(
    HttpApiGroup.make("operations")
      .add(session, doctor, topology, ps, pause, resume, release)
      .add(sources, list, show, replay, discard, edit, running, last, history)
      .middleware(Malformed)
      .prefix("/api")
  )
  .annotateMerge(OpenApi.annotations({ title: "Operations of an event bus", version: "1" }))

export const openApiPath = "/api/openapi.json"
