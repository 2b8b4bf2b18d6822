/**
 * What the broker writes on a message that it dead-letters itself. The runtime builds its own dead letters and writes
 * none of this on them, so whoever finds it knows that the other headers are those of a publisher.
 */
import * as Predicate from "effect/Predicate"
import { integer, text } from "../../event/FieldValue.ts"
import type { DeadLetterReason, Death } from "./Diagnosis.ts"

/** The death that brought it here; undefined for what the broker did not dead-letter. */
export const of = (headers: Readonly<Record<string, unknown>>): Death | undefined => {
  const last = lastDeath(headers)
  // RabbitMQ 3.10 keeps the texts that a publisher sent, but puts its own entry in front of the list.
  const reason =
    text(fieldOf(last, "reason")) ?? text(headers["x-last-death-reason"]) ?? text(headers["x-first-death-reason"])
  if (reason === undefined) return undefined
  const [name, tag, message] = meaningOf(reason)
  return { reason: name, error: { tag, message }, at: timeOf(last), route: routeOf(last) }
}

const meaningOf = (reason: string): readonly [DeadLetterReason, tag: string, message: string] => {
  switch (reason) {
    case "delivery_limit":
      return [
        "CrashLoop",
        "DeliveryLimit",
        "it came back unsettled more often than the queue's delivery limit allows: processes died or stopped while they held it"
      ]
    case "expired":
      return [
        "Expired",
        "Expired",
        "it expired in the queue: its publisher or a policy gave it a time to live, which ended before a process of this subscriber took it"
      ]
    case "maxlen":
      return [
        "QueueFull",
        "LengthLimit",
        "the queue was full: a policy gave it a length limit, and drops what is beyond it"
      ]
    case "rejected":
      return [
        "LetterRefused",
        "LetterRefused",
        "the broker took no letter that says why: it was too large for it (max_message_size), or the right to write to the exchange of dead letters is missing. So it dead-lettered the event itself; the subscriber's log has the reason"
      ]
    default:
      return ["Foreign", "DeadLettered", `the broker dead-lettered it for a reason of its own: ${reason.slice(0, 100)}`]
  }
}

/** AMQP has whole seconds, and amqplib wraps them. */
const timeOf = (death: unknown): number | undefined => {
  const seconds = integer(fieldOf(fieldOf(death, "time"), "value"))
  return seconds === undefined ? undefined : integer(seconds * 1000)
}

/** The event name that it was published by. A copy was sent by other exchanges; the runtime wrote its property `type`. */
const routeOf = (death: unknown): string | undefined => {
  const keys = fieldOf(death, "routing-keys")
  return text(fieldOf(death, "exchange"))?.endsWith(".events") === true && Array.isArray(keys)
    ? text(keys[0])
    : undefined
}

/** The broker puts the latest first. */
const lastDeath = (headers: Readonly<Record<string, unknown>>): unknown => {
  const deaths = headers["x-death"]
  return Array.isArray(deaths) ? deaths[0] : undefined
}

const fieldOf = (value: unknown, name: string): unknown =>
  Predicate.isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
