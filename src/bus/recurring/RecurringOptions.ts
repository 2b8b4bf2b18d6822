/** The options of a recurring event, and what is wrong with them. */
import * as Cron from "effect/Cron"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Event from "../../event/Event.ts"
import * as Name from "../../event/Name.ts"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { shown } from "../../event/options/OptionNames.ts"
import type { PublishOptions } from "../publish/PublishOptions.ts"
import { SubscriberInvalid } from "../subscriber/SubscribeError.ts"
import type { CatchUp } from "./Ticks.ts"

/** Options of the publish of each tick. The id is that of the tick. */
export interface TickPublishOptions extends Pick<
  PublishOptions,
  "key" | "headers" | "expiresAfter" | "mandatory" | "actor" | "tenant" | "baggage"
> {}

export interface RecurringOptions<E extends Event.Any> {
  /** What is published at each tick. */
  readonly event: E
  /**
   * When: five fields (minute, hour, day of the month, month, day of the week), or six with the second first. An Effect `Cron`
   * has a time zone of its own.
   */
  readonly cron: string | Cron.Cron
  /** The data of a tick. It is called again when the publish has to be repeated, so it only depends on the time of the tick. */
  readonly data: (tick: Date) => Event.Input<E>
  /** The IANA time zone in which `cron` is read. Default `"UTC"`. */
  readonly timeZone?: string
  /**
   * When the clocks are set back, an hour comes twice: whether its ticks do, too. Default: `"twice"` where `cron` names no hour,
   * so that "every five minutes" stays that, and `"once"`, at the first of the two, where it does.
   */
  readonly repeatedHour?: "once" | "twice"
  /**
   * What is published of ticks that passed while no process ran: the latest one (default), all of them (at most 1,000), or none
   * that is more than a minute late.
   */
  readonly catchUp?: CatchUp
  /** Options of each publish. */
  readonly publish?: TickPublishOptions
}

/** Options that are checked, with their defaults. */
export interface Recurring<E extends Event.Any> {
  readonly name: string
  /** That of its queue. */
  readonly subscriber: string
  readonly event: E
  readonly cron: Cron.Cron
  /** When it ticks, as a text: a process that has another one does not go on from this one's ticks. */
  readonly spec: string
  readonly data: (tick: Date) => Event.Input<E>
  readonly catchUp: CatchUp
  readonly publish: TickPublishOptions
}

const kinds = {
  event: Kinds.required({
    expected: "a contract, which Event.make returns",
    holds: (value) => Predicate.hasProperty(value, Event.TypeId)
  }),
  cron: Kinds.required({
    expected: 'a text such as "0 9 * * 1-5", or a Cron',
    holds: (value) => Predicate.isString(value) || Cron.isCron(value)
  }),
  data: Kinds.required(Kinds.func),
  timeZone: Kinds.text,
  repeatedHour: Kinds.oneOf("once", "twice"),
  catchUp: Kinds.oneOf("latest", "all", "none"),
  // What these are exactly is checked by the publish.
  publish: Kinds.record({
    key: Kinds.anything,
    headers: Kinds.anything,
    expiresAfter: Kinds.anything,
    mandatory: Kinds.anything,
    actor: Kinds.anything,
    tenant: Kinds.anything,
    baggage: Kinds.anything
  } satisfies Kinds.KindsOf<TickPublishOptions>)
} satisfies Kinds.KindsOf<RecurringOptions<Event.Any>>

const prefix = "recurring."

/** Fails with the first option that cannot work. `now` is in milliseconds since the epoch. */
export const settle = <E extends Event.Any>(
  name: string,
  options: RecurringOptions<E>,
  now: number
): Result.Result<Recurring<E>, SubscriberInvalid> => {
  const nameFault = Name.nameFault(name) ?? Name.nameFault(prefix + name)
  if (nameFault !== undefined)
    return invalid("name", nameFault, 'Name it with words of a-z, 0-9 and - between dots, such as "billing.month-end"')
  const fault = Kinds.faultOf(options, kinds)
  if (fault !== undefined) return Result.fail(new SubscriberInvalid(fault))
  return Result.map(cronOf(options, now), (cron) => ({
    name,
    subscriber: prefix + name,
    event: options.event,
    cron,
    spec: specOf(cron),
    data: options.data,
    catchUp: options.catchUp ?? "latest",
    publish: options.publish ?? {}
  }))
}

const cronOf = (
  { cron: given, repeatedHour, timeZone }: RecurringOptions<Event.Any>,
  now: number
): Result.Result<Cron.Cron, SubscriberInvalid> => {
  if (Cron.isCron(given)) {
    if (timeZone !== undefined) return ofCron("timeZone", timeZone, "`Cron.parse(text, timeZone)`")
    if (repeatedHour !== undefined)
      return ofCron("repeatedHour", repeatedHour, "`Cron.parse(text, timeZone, { onDstOverlap })`")
    return withTicks(given, "the Cron", now)
  }
  const zone = timeZone ?? "UTC"
  const parsed = Cron.parse(given, zone)
  if (Result.isFailure(parsed)) {
    // A text that is right in another zone is right: then the zone is wrong.
    return Result.isSuccess(Cron.parse(given, "UTC"))
      ? invalid("timeZone", `${shown(zone)} is no time zone`, 'Give a name of the IANA list, such as "Europe/Berlin"')
      : invalid(
          "cron",
          `${shown(given)} cannot be read (${parsed.failure.message})`,
          'Give five fields such as "0 9 * * 1-5" (9:00 from Monday to Friday), or six with the second first'
        )
  }
  const isTwice = repeatedHour === undefined ? parsed.success.hours.size === 0 : repeatedHour === "twice"
  const cron = isTwice ? Cron.parseUnsafe(given, zone, { onDstOverlap: "both" }) : parsed.success
  return withTicks(cron, shown(given), now)
}

/** One that never ticks would wait in silence. */
const withTicks = (cron: Cron.Cron, text: string, now: number): Result.Result<Cron.Cron, SubscriberInvalid> => {
  try {
    Cron.next(cron, now)
    return Result.succeed(cron)
  } catch {
    return invalid("cron", `${text} never comes`, "Give days that its months have")
  }
}

const specOf = (cron: Cron.Cron): string => {
  const zone = cron.tz._tag === "Some" ? cron.tz.value : undefined
  const place = zone === undefined ? "" : zone._tag === "Named" ? zone.id : String(zone.offset)
  return `${Cron.format(cron, { includeSeconds: true })} ${place} ${cron.onDstOverlap}`
}

const ofCron = (option: string, value: string, where: string): Result.Result<never, SubscriberInvalid> =>
  invalid(
    option,
    `${shown(value)} is given, and \`cron\` is a Cron, which has its own`,
    `Leave it out: it belongs into ${where}`
  )

const invalid = (option: string, problem: string, remedy: string): Result.Result<never, SubscriberInvalid> =>
  Result.fail(new SubscriberInvalid({ option, problem, remedy }))
