/**
 * Events of messages to people: the templates that they are rendered from, and the outcome of each dispatch. The key of
 * a dispatch is its recipient, so that messages to one person keep the order of their requests. Addresses and device
 * tokens are sensitive.
 */
import * as Schema from "effect/Schema"
import * as Event from "../event/Event.ts"
import { sensitive } from "../event/sensitive/Sensitive.ts"
import { Email, Locale, Moment, NotificationId, TemplateId, text, UserId, whole } from "./fields.ts"
import { publishersOf } from "./permissions.ts"

const recipient = (data: { readonly recipientId: UserId }): string => data.recipientId

/** The channel of a message, with the address that it needs. */
export const Target = Schema.TaggedUnion({
  Email: { address: Email },
  Sms: {
    number: sensitive(
      Schema.String.check(
        Schema.isPattern(/^\+[1-9]\d{6,14}$/u, { expected: "a telephone number such as +4930901820" })
      )
    )
  },
  Push: { deviceToken: sensitive(text(300)) },
  InApp: {}
})

/** A new revision of a template was published. */
export const TemplatePublished = Event.make("notification.template.published", {
  version: 1,
  data: Schema.Struct({
    templateId: TemplateId,
    revision: whole(1, 100_000),
    publishedBy: UserId,
    channel: Schema.Literals(["email", "sms", "push", "in-app"]),
    texts: Schema.Array(
      Schema.Struct({ locale: Locale, subject: Schema.optionalKey(text(200)), body: text(10_000) })
    ).check(Schema.isMinLength(1), Schema.isMaxLength(40)),
    placeholders: Schema.Array(text(40)).check(Schema.isMaxLength(40))
  }),
  key: (template) => template.templateId,
  publishers: publishersOf(
    "notification.template.published",
    (template: { readonly publishedBy: UserId }) => template.publishedBy
  ),
  cache: { last: true, perKey: true, history: 10 }
})

/** The dispatch of a message was requested. */
export const DispatchRequested = Event.make("notification.dispatch.requested", {
  version: 1,
  data: Schema.Struct({
    notificationId: NotificationId,
    recipientId: UserId,
    templateId: TemplateId,
    locale: Locale,
    target: Target,
    urgency: Schema.Literals(["digest", "normal", "urgent"]),
    values: sensitive(Schema.Array(Schema.Struct({ name: text(40), value: text(1000) })).check(Schema.isMaxLength(40))),
    notBefore: Schema.optionalKey(Moment)
  }),
  key: recipient,
  publishers: publishersOf("notification.dispatch.requested", recipient),
  cache: false
})

/** A message was delivered to its provider. */
export const DispatchDelivered = Event.make("notification.dispatch.delivered", {
  version: 1,
  data: Schema.Struct({
    notificationId: NotificationId,
    recipientId: UserId,
    provider: text(60),
    deliveredAt: Moment
  }),
  key: recipient,
  publishers: publishersOf("notification.dispatch.delivered", recipient)
})

/** The dispatch of a message failed. `retryable` says whether another attempt makes sense. */
export const DispatchFailed = Event.make("notification.dispatch.failed", {
  version: 1,
  data: Schema.Struct({
    notificationId: NotificationId,
    recipientId: UserId,
    provider: text(60),
    reason: Schema.Literals(["bounced", "unreachable", "refused", "expired", "provider-error"]),
    retryable: Schema.Boolean,
    attempts: whole(1, 100),
    failedAt: Moment
  }),
  key: recipient,
  publishers: publishersOf("notification.dispatch.failed", recipient)
})
