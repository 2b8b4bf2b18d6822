/**
 * The actor of a publish, and the policy that decides which actors may publish an event. The actor is what a service
 * claims about itself or about the user it acts for, and a policy protects from mistakes. It is not a security
 * boundary (the broker's user is), so a subscriber gets `event.actor` as a claim of the publisher.
 */
import * as Context from "effect/Context"

/** Who acts: a user, or a service on its own behalf. */
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

/** The actor in the attributes of an event; undefined without an id. */
export const actorOf = (
  id: string | undefined,
  role: string | undefined,
  status: string | undefined
): Actor | undefined =>
  id === undefined ? undefined : { id, role: role ?? "", ...(status !== undefined && { status }) }

/** The role of a publisher without an actor: the service acts on its own behalf. */
export const serviceRole = "service"

/** Who may publish an event. Every condition that is given must hold. */
export interface Publishers<in A, out Role extends string = string, out Status extends string = string> {
  /** Roles that may publish. */
  readonly roles?: ReadonlyArray<Role>
  /** Statuses of the actor that may publish. They do not apply to a service without an actor. */
  readonly statuses?: ReadonlyArray<Status>
  /** Whether this actor may publish this data. */
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
    ? `the contract's check refused role "${role}"`
    : undefined
}

const list = (allowed: ReadonlyArray<string>): string =>
  allowed.length === 0 ? "nobody" : allowed.map((name) => `"${name}"`).join(", ")
