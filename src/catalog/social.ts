/**
 * Events between people: posts, comments and connections. Comments have the key of their post, so that none arrives
 * before it; connections have the key of the requester.
 */
import * as Schema from "effect/Schema"
import * as Event from "../event/Event.ts"
import { CommentId, CourseId, Moment, PostId, text, UserId } from "./fields.ts"
import { publishersOf } from "./permissions.ts"

const author = (data: { readonly authorId: UserId }): string => data.authorId

/** Who may see a post. */
export const Audience = Schema.TaggedUnion({
  Everyone: {},
  Connections: {},
  Course: { courseId: CourseId }
})

const PostV1 = Schema.Struct({ postId: PostId, authorId: UserId, text: text(5000) })

/** A post was created. */
export const PostCreated = Event.make("social.post.created", {
  version: 2,
  data: Schema.Struct({
    postId: PostId,
    authorId: UserId,
    text: text(5000),
    audience: Audience,
    tags: Schema.Array(text(40)).check(Schema.isMaxLength(10)),
    attachments: Schema.Array(Schema.Struct({ url: text(500), alt: Schema.optionalKey(text(300)) })).check(
      Schema.isMaxLength(10)
    )
  }),
  key: (post) => post.postId,
  publishers: publishersOf("social.post.created", author),
  cache: { last: true, history: 200 },
  previous: [
    {
      version: 1,
      data: PostV1,
      up: (old) => ({ ...old, audience: { _tag: "Everyone" as const }, tags: [], attachments: [] })
    }
  ]
})

/** A post was removed. */
export const PostRemoved = Event.make("social.post.removed", {
  version: 1,
  data: Schema.Struct({
    postId: PostId,
    removedBy: UserId,
    rule: Schema.Literals(["spam", "harassment", "privacy", "cheating", "other"]),
    note: Schema.optionalKey(text(1000))
  }),
  key: (removal) => removal.postId,
  publishers: publishersOf("social.post.removed", (removal: { readonly removedBy: UserId }) => removal.removedBy)
})

/** A comment was added to a post, or as an answer to another comment. */
export const CommentAdded = Event.make("social.comment.added", {
  version: 1,
  data: Schema.Struct({
    commentId: CommentId,
    postId: PostId,
    authorId: UserId,
    answersTo: Schema.optionalKey(CommentId),
    text: text(2000)
  }),
  key: (comment) => comment.postId,
  publishers: publishersOf("social.comment.added", author),
  cache: { last: false, perKey: true, history: 20 }
})

/** One person asked another to connect. */
export const ConnectionRequested = Event.make("social.connection.requested", {
  version: 1,
  data: Schema.Struct({ fromId: UserId, toId: UserId, note: Schema.optionalKey(text(300)), requestedAt: Moment }),
  key: (request) => request.fromId,
  publishers: publishersOf("social.connection.requested", (request: { readonly fromId: UserId }) => request.fromId)
})

/** The other person accepted the request to connect. */
export const ConnectionAccepted = Event.make("social.connection.accepted", {
  version: 1,
  data: Schema.Struct({ fromId: UserId, toId: UserId, acceptedAt: Moment }),
  key: (connection) => connection.fromId,
  publishers: publishersOf("social.connection.accepted", (connection: { readonly toId: UserId }) => connection.toId)
})
