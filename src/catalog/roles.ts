/**
 * Roles of people and services, statuses of accounts, and statuses of identity checks. `permissions.ts` says what each
 * role may publish.
 */
import * as Schema from "effect/Schema"

/** The role that a person or service acts in. */
export const Role = Schema.Literals([
  "student",
  "teacher",
  "teaching-assistant",
  "guardian",
  "registrar",
  "moderator",
  "kyc-officer",
  "administrator",
  "service"
])
export type Role = typeof Role.Type

/** Every role, in the order of tables. */
export const roles: ReadonlyArray<Role> = Role.literals

/** The status of an account. An `unverified` user has signed in, but has not proven their identity yet. */
export const UserStatus = Schema.Literals(["invited", "unverified", "active", "suspended", "closed"])
export type UserStatus = typeof UserStatus.Type

/** Every status of an account, in the order of its life cycle. */
export const userStatuses: ReadonlyArray<UserStatus> = UserStatus.literals

/** The status of an identity check. */
export const KycStatus = Schema.Literals(["none", "pending", "in-review", "verified", "rejected", "expired"])
export type KycStatus = typeof KycStatus.Type

/** Every status of an identity check, in the order of its life cycle. */
export const kycStatuses: ReadonlyArray<KycStatus> = KycStatus.literals
