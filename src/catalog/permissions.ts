/**
 * Who may publish which event: one row for each event of the catalog. All contracts take their `publishers` from this
 * table, so it shows every rule.
 *
 * `roles` may publish the event; those of them that are in `selfOnly` may publish it only about themselves. `statuses` are
 * the account statuses that may publish; a service acts on its own behalf and has no account. The table protects from
 * mistakes; the security boundary is the broker's user.
 */
import type { Publishers } from "../event/Actor.ts"
import type { Role, UserStatus } from "./roles.ts"

/** One row of the table. */
export interface Permission {
  readonly roles: ReadonlyArray<Role>
  readonly selfOnly: ReadonlyArray<Role>
  readonly statuses: ReadonlyArray<UserStatus>
}

const row = <const SelfOnly extends ReadonlyArray<Role> = readonly []>(
  roles: ReadonlyArray<Role>,
  statuses: ReadonlyArray<UserStatus>,
  selfOnly: SelfOnly | readonly [] = []
): Permission => ({ roles, statuses, selfOnly })

const active: ReadonlyArray<UserStatus> = ["active"]
const verifying: ReadonlyArray<UserStatus> = ["unverified", "active"]
const registering: ReadonlyArray<UserStatus> = ["invited", "unverified", "active"]

/** The table: event name → who may publish it. */
export const permissions = {
  // event                            roles                                            statuses     only about themselves
  "academic.course.published": row(["teacher", "registrar", "administrator"], active),
  "academic.course.enrolled": row(["student", "registrar", "administrator"], active, ["student"]),
  "academic.course.left": row(["student", "registrar", "administrator"], active, ["student"]),
  "academic.assignment.published": row(["teacher", "teaching-assistant"], active),
  "academic.assignment.submitted": row(["student"], active, ["student"]),
  "academic.grade.posted": row(["teacher", "teaching-assistant", "service"], active),
  "academic.grade.revised": row(["teacher", "registrar"], active),
  "academic.performance.updated": row(["service"], active),
  "user.account.registered": row(["registrar", "administrator", "service"], active),
  "user.profile.updated": row(
    ["student", "teacher", "teaching-assistant", "guardian", "registrar", "moderator", "kyc-officer", "administrator"],
    registering,
    ["student", "teacher", "teaching-assistant", "guardian", "moderator", "kyc-officer"]
  ),
  "user.status.changed": row(["registrar", "administrator", "moderator", "service"], active),
  "user.role.granted": row(["administrator"], active),
  "user.relation.established": row(
    ["student", "teacher", "guardian", "registrar", "administrator", "service"],
    active,
    ["student", "teacher", "guardian"]
  ),
  "user.relation.ended": row(["student", "teacher", "guardian", "registrar", "administrator", "service"], active, [
    "student",
    "teacher",
    "guardian"
  ]),
  "user.presence.changed": row(["service"], active),
  "social.post.created": row(["student", "teacher", "teaching-assistant", "guardian"], active, [
    "student",
    "teacher",
    "teaching-assistant",
    "guardian"
  ]),
  "social.post.removed": row(["moderator", "administrator"], active),
  "social.comment.added": row(["student", "teacher", "teaching-assistant", "guardian"], active, [
    "student",
    "teacher",
    "teaching-assistant",
    "guardian"
  ]),
  "social.connection.requested": row(["student", "teacher", "guardian"], active, ["student", "teacher", "guardian"]),
  "social.connection.accepted": row(["student", "teacher", "guardian"], active, ["student", "teacher", "guardian"]),
  "notification.template.published": row(["administrator"], active),
  "notification.dispatch.requested": row(["registrar", "moderator", "administrator", "service"], active),
  "notification.dispatch.delivered": row(["service"], active),
  "notification.dispatch.failed": row(["service"], active),
  "kyc.document.submitted": row(["student", "teacher", "guardian"], verifying, ["student", "teacher", "guardian"]),
  "kyc.document.reviewed": row(["kyc-officer"], active),
  "kyc.identity.verified": row(["kyc-officer", "service"], active),
  "kyc.identity.rejected": row(["kyc-officer"], active)
} satisfies Record<string, Permission>

/** The name of an event in the table. */
export type PermittedName = keyof typeof permissions

/**
 * The `publishers` of an event by the table. `owner` returns the person that the data is about: roles in `selfOnly` must be
 * that person.
 */
export const publishersOf = <A>(name: PermittedName, owner: (data: A) => string): Publishers<A, Role, UserStatus> => {
  const { roles, statuses, selfOnly }: Permission = permissions[name]
  const restricted: ReadonlyArray<string> = selfOnly
  return {
    roles,
    statuses,
    ...(selfOnly.length > 0 && {
      check: (actor, data) => !restricted.includes(actor.role) || owner(data) === actor.id
    })
  }
}
