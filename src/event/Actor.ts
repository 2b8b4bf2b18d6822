/**
 * Who publishes, and who may. The actor is what a service says of itself or of the user it acts for;
 * a policy protects from mistakes. It is not a security boundary: that is the broker's user. A
 * subscriber therefore gets `event.actor` as the publisher's claim.
 */
import { Context } from "effect"

export interface Actor {
  readonly id: string
  readonly role: string
  readonly status?: string
}

/**
 * The actor of the running fiber; undefined stands for the service itself, whose role is `"service"`.
 *
 * @example
 * ```ts
 * import { CurrentActor } from "@eduflow/events"
 * import { Effect } from "effect"
 *
 * declare const publishGrade: Effect.Effect<void>
 * export const asTeacher = publishGrade.pipe(
 *   Effect.provideService(CurrentActor, { id: "u-7", role: "teacher", status: "active" })
 * )
 * ```
 */
export const CurrentActor: Context.Reference<Actor | undefined> = Context.Reference<Actor | undefined>(
  "@eduflow/events/event/CurrentActor",
  { defaultValue: () => undefined }
)

/** The role of a publisher without an actor: the service on its own behalf. */
export const serviceRole = "service"

/** Who may publish an event. An absent part allows everyone; all present parts must allow. */
export interface Publishers<in A, out Role extends string = string, out Status extends string = string> {
  readonly roles?: ReadonlyArray<Role>
  readonly statuses?: ReadonlyArray<Status>
  readonly check?: (actor: Actor, data: A) => boolean
}

/** Why `actor` may not publish under `policy`, or undefined when it may. */
export const denial = <A>(policy: Publishers<A>, actor: Actor | undefined, data: A): string | undefined => {
  const role = actor?.role ?? serviceRole
  if (policy.roles !== undefined && !policy.roles.includes(role)) {
    return `role "${role}" may not publish it, only ${list(policy.roles)}`
  }
  if (actor !== undefined && policy.statuses !== undefined && !policy.statuses.includes(actor.status ?? "")) {
    return `status "${actor.status ?? "none"}" of role "${role}" may not publish it, only ${list(policy.statuses)}`
  }
  return policy.check !== undefined && !policy.check(actor ?? { id: serviceRole, role: serviceRole }, data)
    ? `the policy's check refused role "${role}"`
    : undefined
}

const list = (allowed: ReadonlyArray<string>): string =>
  allowed.length === 0 ? "nobody" : allowed.map((name) => `"${name}"`).join(", ")
