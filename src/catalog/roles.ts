/**
 * Who EduFlow knows: the roles that people and services act in, what state their account is in, and
 * how far the check of their identity has come. Contracts and permissions take their words from here;
 * a role says nothing by itself, `permissions.ts` says what it may publish.
 */
import { Schema } from "effect"

/** The role somebody acts in. */
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

/** Every role, in the order in which tables show them. */
export const roles: ReadonlyArray<Role> = Role.literals

/** The state of an account: `unverified` has signed in but not yet proven who they are. */
export const UserStatus = Schema.Literals(["invited", "unverified", "active", "suspended", "closed"])
export type UserStatus = typeof UserStatus.Type

/** Every state of an account, in the order of a lifetime. */
export const userStatuses: ReadonlyArray<UserStatus> = UserStatus.literals

/** How far the check of somebody's identity has come. */
export const KycStatus = Schema.Literals(["none", "pending", "in-review", "verified", "rejected", "expired"])
export type KycStatus = typeof KycStatus.Type

/** Every state of an identity check, in the order of its course. */
export const kycStatuses: ReadonlyArray<KycStatus> = KycStatus.literals
