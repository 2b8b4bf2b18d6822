/**
 * Sample data for the events of all other domains: accounts, posts, messages and documents. Nobody here is real:
 * addresses belong to example.edu, and numbers are random.
 */
import { CommentId, DocumentId, NotificationId, TemplateId } from "../../catalog/index.ts"
import {
  birthDate,
  chance,
  comments,
  countries,
  course,
  courses,
  day,
  dayText,
  digits,
  fresh,
  int,
  letters,
  locales,
  mail,
  many,
  moment,
  officer,
  one,
  person,
  pick,
  post,
  posts,
  providers,
  sha256,
  student,
  teacher,
  termStart,
  topics,
  two,
  type SamplesOf
} from "./University.ts"

export const peopleSamples: SamplesOf<"user" | "social" | "notification" | "kyc"> = {
  "user.account.registered": (r) => {
    const name = person(r)
    return {
      userId: student(r),
      role: chance(r, 0.9) ? "student" : "guardian",
      name,
      email: mail(name),
      birthDate: birthDate(r),
      locale: pick(r, locales),
      registeredAt: moment(r)
    }
  },
  "user.profile.updated": (r) => {
    const name = person(r)
    return {
      userId: student(r),
      displayName: `${name.given} ${name.family}`,
      email: mail(name),
      locale: pick(r, locales),
      ...(chance(r, 0.5) && { bio: `Into ${pick(r, topics)} and ${pick(r, topics)}.` }),
      links: many(r, 0, 2, () => ({ label: "Homepage", url: `https://people.example.edu/${fresh(r, "page")}` })),
      visibility: one(r, "school", "everyone", "connections", "nobody")
    }
  },
  "user.status.changed": (r) =>
    chance(r, 0.8)
      ? { userId: student(r), from: "unverified", to: "active", reason: "Identity verified." }
      : { userId: student(r), from: "active", to: "suspended", reason: "Fees are open.", until: moment(r) },
  "user.role.granted": (r) => ({
    userId: student(r),
    role: one(r, "teaching-assistant", "moderator"),
    grantedBy: officer(r),
    expiresAt: moment(r)
  }),
  "user.relation.established": (r) => ({
    userId: teacher(r),
    relation: { _tag: "TeacherOf", studentId: student(r), courseId: course(r) },
    since: moment(r)
  }),
  "user.relation.ended": (r) => {
    const [userId, otherId] = two(r)
    return { userId, relation: { _tag: "Blocked", otherId }, endedAt: moment(r) }
  },
  "user.presence.changed": (r) => ({
    userId: student(r),
    presence: one(r, "online", "idle", "away"),
    device: one(r, "web", "ios", "android", "desktop")
  }),
  "social.post.created": (r) => ({
    postId: post(r),
    authorId: student(r),
    text: pick(r, posts),
    audience: chance(r, 0.5) ? { _tag: "Course", courseId: course(r) } : { _tag: "Everyone" },
    tags: many(r, 0, 3, () => pick(r, topics)),
    attachments: many(r, 0, 1, () => ({ url: `https://files.example.edu/${fresh(r, "f")}`, alt: "Lecture notes" }))
  }),
  "social.post.removed": (r) => ({
    postId: post(r),
    removedBy: officer(r),
    rule: one(r, "spam", "harassment", "privacy", "cheating")
  }),
  "social.comment.added": (r) => ({
    commentId: CommentId.make(fresh(r, "m")),
    postId: post(r),
    authorId: student(r),
    text: pick(r, comments)
  }),
  "social.connection.requested": (r) => {
    const [fromId, toId] = two(r)
    return { fromId, toId, ...(chance(r, 0.4) && { note: "We sit in the same lab." }), requestedAt: moment(r) }
  },
  "social.connection.accepted": (r) => {
    const [fromId, toId] = two(r)
    return { fromId, toId, acceptedAt: moment(r) }
  },
  "notification.template.published": (r) => ({
    templateId: TemplateId.make(one(r, "grade-posted", "assignment-due")),
    revision: int(r, 1, 40),
    publishedBy: officer(r),
    channel: "email",
    texts: [{ locale: "en", subject: "Hello {{name}}", body: "{{name}}, there is news in {{course}}." }],
    placeholders: ["name", "course"]
  }),
  "notification.dispatch.requested": (r) => {
    const name = person(r)
    return {
      notificationId: NotificationId.make(fresh(r, "n")),
      recipientId: student(r),
      templateId: TemplateId.make(one(r, "grade-posted", "assignment-due")),
      locale: pick(r, locales),
      target: chance(r, 0.7)
        ? { _tag: "Email", address: mail(name) }
        : { _tag: "Sms", number: `+4930${letters(r, digits, 7)}` },
      urgency: one(r, "normal", "digest", "urgent"),
      values: [
        { name: "name", value: name.given },
        { name: "course", value: pick(r, courses) }
      ]
    }
  },
  "notification.dispatch.delivered": (r) => ({
    notificationId: NotificationId.make(fresh(r, "n")),
    recipientId: student(r),
    provider: pick(r, providers),
    deliveredAt: moment(r)
  }),
  "notification.dispatch.failed": (r) => {
    const reason = one(r, "unreachable", "bounced", "refused", "provider-error")
    return {
      notificationId: NotificationId.make(fresh(r, "n")),
      recipientId: student(r),
      provider: pick(r, providers),
      reason,
      retryable: reason !== "bounced" && reason !== "refused",
      attempts: int(r, 1, 6),
      failedAt: moment(r)
    }
  },
  "kyc.document.submitted": (r) => ({
    documentId: DocumentId.make(fresh(r, "d")),
    userId: student(r),
    kind: one(r, "passport", "national-id", "student-card"),
    number: `${letters(r, [..."CFGHJK"], 1)}${letters(r, digits, 8)}`,
    issuedBy: pick(r, countries),
    expiresOn: dayText(new Date(termStart + int(r, 30, 3000) * day)),
    holder: { name: person(r), birthDate: birthDate(r) },
    pages: [{ side: "front", bytes: int(r, 80_000, 3_000_000), sha256: sha256(r) }],
    submittedAt: moment(r)
  }),
  "kyc.document.reviewed": (r) => ({
    documentId: DocumentId.make(fresh(r, "d")),
    userId: student(r),
    reviewerId: officer(r),
    verdict: chance(r, 0.8)
      ? { _tag: "Accepted" }
      : { _tag: "Refused", reason: one(r, "unreadable", "expired", "mismatch") },
    reviewedAt: moment(r)
  }),
  "kyc.identity.verified": (r) => ({
    userId: student(r),
    before: "in-review",
    level: one(r, "full", "basic"),
    documents: [DocumentId.make(fresh(r, "d"))],
    verifiedAt: moment(r)
  }),
  "kyc.identity.rejected": (r) => ({
    userId: student(r),
    before: "in-review",
    reasons: [one(r, "documents", "duplicate", "underage")],
    mayTryAgain: chance(r, 0.7),
    rejectedAt: moment(r)
  })
}
