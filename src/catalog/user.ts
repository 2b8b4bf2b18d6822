/**
 * Events of users: accounts, profiles, roles, presence and relations. The key is the user, so that events of one person
 * keep their order. Personal fields are sensitive, and the most personal events are not cached.
 */
import * as Schema from "effect/Schema"
import * as Event from "../event/Event.ts"
import { sensitive } from "../event/sensitive/Sensitive.ts"
import { BirthDate, CourseId, Email, Locale, Moment, PersonName, text, UserId } from "./fields.ts"
import { publishersOf } from "./permissions.ts"
import { Role, UserStatus } from "./roles.ts"

const self = (data: { readonly userId: UserId }): string => data.userId

/** An account was registered. */
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

/** A profile was updated. Services look up the last one of each user. */
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
      // The narrowest visibility from before there was a choice.
      up: ({ name, ...old }) => ({ ...old, displayName: name, locale: "en", links: [], visibility: "school" as const })
    }
  ]
})

/** The status of an account changed. */
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

/** A user was granted a role. */
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

/** The relation of `userId` to another person. */
export const Relation = Schema.TaggedUnion({
  GuardianOf: { studentId: UserId, custody: Schema.Literals(["full", "shared", "emergency"]) },
  TeacherOf: { studentId: UserId, courseId: CourseId },
  Blocked: { otherId: UserId }
})

/** A relation between two people began. */
export const RelationEstablished = Event.make("user.relation.established", {
  version: 1,
  data: Schema.Struct({ userId: UserId, relation: Relation, since: Moment }),
  key: (established) => established.userId,
  publishers: publishersOf("user.relation.established", self)
})

/** A relation between two people ended. */
export const RelationEnded = Event.make("user.relation.ended", {
  version: 1,
  data: Schema.Struct({ userId: UserId, relation: Relation, endedAt: Moment }),
  key: (ended) => ended.userId,
  publishers: publishersOf("user.relation.ended", self)
})

/** The presence of a user changed. The cache forgets it after two minutes; without an entry a user is away. */
export const PresenceChanged = Event.make("user.presence.changed", {
  version: 1,
  data: Schema.Struct({
    userId: UserId,
    presence: Schema.Literals(["online", "idle", "away"]),
    device: Schema.Literals(["web", "ios", "android", "desktop"])
  }),
  key: (presence) => presence.userId,
  publishers: publishersOf("user.presence.changed", self),
  cache: { last: true, timeToLive: "2 minutes", history: 1 }
})
