/**
 * Who people are and how they belong together: accounts, profiles, roles, presence and relations. The
 * key is the user, so that what is known of one person never overtakes itself. Personal fields are
 * sensitive, and what is most personal is not remembered by the cache.
 */
import { Schema } from "effect"
import * as Event from "../event/Event.ts"
import { sensitive } from "../event/Sensitive.ts"
import { BirthDate, CourseId, Email, Locale, Moment, PersonName, text, UserId } from "./fields.ts"
import { publishersOf } from "./permissions.ts"
import { Role, UserStatus } from "./roles.ts"

const self = (data: { readonly userId: UserId }): string => data.userId

/** Somebody got an account. */
export const AccountRegistered = Event.make("user.account.registered", {
  version: 1,
  data: Schema.Struct({
    userId: UserId,
    role: Role,
    name: PersonName,
    email: Email,
    birthDate: Schema.optionalKey(BirthDate),
    locale: Locale,
    registeredAt: Moment
  }),
  key: (account) => account.userId,
  publishers: publishersOf("user.account.registered", self),
  cache: false
})

const ProfileV1 = Schema.Struct({ userId: UserId, name: sensitive(text(200)), email: Email })

/** Somebody's profile is now this; the last one of each user is what services look up. */
export const ProfileUpdated = Event.make("user.profile.updated", {
  version: 2,
  data: Schema.Struct({
    userId: UserId,
    displayName: sensitive(text(200)),
    email: Email,
    locale: Locale,
    bio: Schema.optionalKey(text(1000)),
    links: Schema.Array(Schema.Struct({ label: text(40), url: text(500) })).check(Schema.isMaxLength(10)),
    visibility: Schema.Literals(["everyone", "school", "connections", "nobody"])
  }),
  key: (profile) => profile.userId,
  publishers: publishersOf("user.profile.updated", self),
  cache: { last: true, history: 20 },
  previous: [
    {
      version: 1,
      data: ProfileV1,
      // The narrowest visibility that existed before there was a choice.
      up: ({ name, ...old }) => ({ ...old, displayName: name, locale: "en", links: [], visibility: "school" as const })
    }
  ]
})

/** An account went from one state to another. */
export const StatusChanged = Event.make("user.status.changed", {
  version: 1,
  data: Schema.Struct({
    userId: UserId,
    from: UserStatus,
    to: UserStatus,
    reason: text(500),
    until: Schema.optionalKey(Moment)
  }),
  key: (change) => change.userId,
  publishers: publishersOf("user.status.changed", self),
  cache: { last: true, perKey: true, history: 10 }
})

/** Somebody may from now on act in a role. */
export const RoleGranted = Event.make("user.role.granted", {
  version: 1,
  data: Schema.Struct({
    userId: UserId,
    role: Role,
    grantedBy: UserId,
    expiresAt: Schema.optionalKey(Moment)
  }),
  key: (grant) => grant.userId,
  publishers: publishersOf("user.role.granted", self)
})

/** How one person stands to another; the first is `userId` of the event. */
export const Relation = Schema.TaggedUnion({
  GuardianOf: { studentId: UserId, custody: Schema.Literals(["full", "shared", "emergency"]) },
  TeacherOf: { studentId: UserId, courseId: CourseId },
  Blocked: { otherId: UserId }
})

/** Two people now stand in a relation. */
export const RelationEstablished = Event.make("user.relation.established", {
  version: 1,
  data: Schema.Struct({ userId: UserId, relation: Relation, since: Moment }),
  key: (established) => established.userId,
  publishers: publishersOf("user.relation.established", self)
})

/** Two people no longer stand in a relation. */
export const RelationEnded = Event.make("user.relation.ended", {
  version: 1,
  data: Schema.Struct({ userId: UserId, relation: Relation, endedAt: Moment }),
  key: (ended) => ended.userId,
  publishers: publishersOf("user.relation.ended", self)
})

/** Somebody came, went or fell idle; forgotten after two minutes, which means away. */
export const PresenceChanged = Event.make("user.presence.changed", {
  version: 1,
  data: Schema.Struct({
    userId: UserId,
    presence: Schema.Literals(["online", "idle", "away"]),
    device: Schema.Literals(["web", "ios", "android", "desktop"])
  }),
  key: (presence) => presence.userId,
  publishers: publishersOf("user.presence.changed", self),
  cache: { last: true, ttl: 120_000, history: 1 }
})
