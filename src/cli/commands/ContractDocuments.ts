/** `eventbus contracts asyncapi`, `jsonschema`, `types`, `markdown` and `html`: documents for others, on standard output. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { settings } from "../../app/Config.ts"
import * as AsyncApi from "../../contracts/documents/AsyncApi.ts"
import * as Html from "../../contracts/documents/Html.ts"
import * as JsonSchemas from "../../contracts/documents/JsonSchemas.ts"
import * as Markdown from "../../contracts/documents/Markdown.ts"
import * as Types from "../../contracts/documents/Types.ts"
import type { Common } from "../Session.ts"
import { loaded } from "./Contracts.ts"

const writes = (print: (described: AsyncApi.Described) => string) =>
  Effect.fnUntraced(function* (common: Common) {
    const { events, known, subscribers } = yield* loaded(common)
    const { publishers, publishes, title, version } = known
    const namespace = yield* settings.namespace.config
    const described = { title, version, namespace, events, subscribers, publishes, publishers }
    yield* Console.log(print(described).trimEnd())
  })

export const asyncApi = writes(AsyncApi.print)
export const jsonSchema = writes(({ events }) => JSON.stringify(JsonSchemas.of(events), null, 2))
export const types = writes(Types.file)
export const markdown = writes(Markdown.page)
export const html = writes(Html.page)
