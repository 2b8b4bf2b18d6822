/** The answers to requests in AsyncAPI: a channel without a fixed address, its message, and the schemas of what it carries. */
import type * as Event from "../../event/Event.ts"
import * as WireFormat from "../../event/WireFormat.ts"
import * as Draft07 from "./Draft07.ts"

type Json = Readonly<Record<string, unknown>>

/** The schema of what is around the data of every message. */
export const envelopeName = "CloudEvent"

/** As the runtime names it on the wire: `src/bus/request/Reply.ts`. */
const type = "bus.reply"

export const channelOf = ({ name }: Event.AnyRequest): string => `reply.${name}`
export const messageOf = ({ name }: Event.AnyRequest): string => `${name}.answer`

export const channel = (request: Event.AnyRequest): Json => ({
  address: null,
  title: `Answers to ${request.name}`,
  description: `Each process that asks has an address of its own, which its request carries in the header reply-to. The routing key of an answer is ${type}. and that address.`,
  messages: { [messageOf(request)]: { $ref: `#/components/messages/${messageOf(request)}` } }
})

/** Of whoever asks, and of whoever answers. */
export const operation = (request: Event.AnyRequest): Json => ({
  address: { location: "$message.header#/reply-to" },
  channel: { $ref: `#/channels/${channelOf(request)}` },
  messages: [{ $ref: `#/channels/${channelOf(request)}/messages/${messageOf(request)}` }]
})

export const message = (request: Event.AnyRequest): Json => {
  const { name } = request
  const answer = (outcome: string, value: Json): Json => ({
    type: "object",
    properties: { subscriber: { type: "string" }, outcome: { const: outcome }, value },
    required: ["subscriber", "outcome", "value"]
  })
  const letter = { type: "object", properties: { reason: text, error: text, detail: text }, required: ["reason"] }
  return {
    name: type,
    title: `An answer to ${name}`,
    contentType: WireFormat.contentType,
    correlationId: { location: "$message.payload#/causationid", description: "The id of the request." },
    payload: {
      allOf: [
        { $ref: Draft07.pointerTo(envelopeName) },
        {
          type: "object",
          properties: {
            type: { const: type },
            data: {
              oneOf: [
                answer("reply", { $ref: Draft07.pointerTo(`${name}.reply`) }),
                ...(request.answers.errorSchema === undefined
                  ? []
                  : [answer("error", { $ref: Draft07.pointerTo(`${name}.error`) })]),
                answer("dead-letter", letter)
              ]
            }
          },
          required: ["data", "causationid"]
        }
      ]
    }
  }
}

const text: Json = { type: "string" }

/** By name. */
export const schemas = ({ answers, name }: Event.AnyRequest): ReadonlyArray<readonly [string, unknown]> => [
  ...Object.entries(Draft07.componentsOf(`${name}.reply`, answers.replySchema)),
  ...(answers.errorSchema === undefined
    ? []
    : Object.entries(Draft07.componentsOf(`${name}.error`, answers.errorSchema)))
]
