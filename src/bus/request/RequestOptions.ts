/** The options of one request, and the kind of value that each of them takes. */
import type * as Duration from "effect/Duration"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { millisOf } from "../../event/options/OptionNames.ts"
import type { PublishOptions } from "../publish/PublishOptions.ts"
import { mostMillis } from "./Reply.ts"

export interface RequestOptions extends Pick<
  PublishOptions,
  "id" | "key" | "correlationId" | "causationId" | "headers" | "actor" | "tenant" | "baggage"
> {
  /**
   * How long an answer may take, from 1 millisecond to a day. Whoever has not begun with the request by then leaves it, and
   * who is at it is interrupted: nobody waits any more. Default 15 seconds.
   */
  readonly deadline?: Duration.Input
}

export interface RequestAllOptions extends Omit<RequestOptions, "deadline"> {
  /** How long answers are collected, from 1 millisecond to a day. */
  readonly within: Duration.Input
  /** The number of answers after which nobody waits for more. Default: all that come in time. */
  readonly atMost?: number
}

const time: Kinds.Kind = {
  expected: 'a length of time from 1 millisecond to a day, such as "5 seconds"',
  holds: (value) => Kinds.duration.holds(value) && millisOf(value) >= 1 && millisOf(value) <= mostMillis
}

// What these are exactly is checked by the publish.
const own = {
  id: Kinds.anything,
  key: Kinds.anything,
  correlationId: Kinds.anything,
  causationId: Kinds.anything,
  headers: Kinds.anything,
  actor: Kinds.anything,
  tenant: Kinds.anything,
  baggage: Kinds.anything
}

export const kinds = { ...own, deadline: time } satisfies Kinds.KindsOf<RequestOptions>

export const allKinds = {
  ...own,
  within: Kinds.required(time),
  atMost: Kinds.count
} satisfies Kinds.KindsOf<RequestAllOptions>
