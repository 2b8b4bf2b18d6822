/** Events of EduFlow. Written by `eventbus contracts types`. */

/** A CloudEvent 1.0 in structured mode. Its media type is application/cloudevents+json. */
export interface CloudEvent<Type extends string, Version extends number, Data> {
  readonly specversion: "1.0"
  readonly id: string
  /** The service that published it. */
  readonly source: string
  readonly type: Type
  /** RFC 3339. */
  readonly time: string
  readonly datacontenttype: "application/json"
  readonly dataschema: `urn:event:${Type}:${Version}`
  /** The key of the event. */
  readonly subject?: string
  readonly correlationid?: string
  readonly causationid?: string
  readonly actor?: string
  readonly actorrole?: string
  readonly actorstatus?: string
  /** Whose it is, where a service works for several customers. */
  readonly tenant?: string
  readonly data: Data
}

/** Data of `academic.assignment.published`, version 1. */
export type AcademicAssignmentPublishedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly assignmentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly courseId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly authorId: string
  /** minLength 1, maxLength 200 */
  readonly title: string
  readonly dueAt: string
  /** integer, minimum 1, maximum 1000 */
  readonly outOf: number
  /** minimum 0, maximum 100 */
  readonly weight: number
}

/** Data of `academic.assignment.submitted`, version 1. */
export type AcademicAssignmentSubmittedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly assignmentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly courseId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly studentId: string
  readonly submittedAt: string
  readonly late: boolean
  /** minItems 1, maxItems 20 */
  readonly files: ReadonlyArray<{
    /** minLength 1, maxLength 200 */
    readonly name: string
    /** minLength 1, maxLength 100 */
    readonly mediaType: string
    /** integer, minimum 0, maximum 2147483647 */
    readonly bytes: number
    /** pattern ^[0-9a-f]{64}$ */
    readonly sha256: string
  }>
}

/** Data of `academic.course.enrolled`, version 1. */
export type AcademicCourseEnrolledV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly studentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly courseId: string
  readonly enrolledAt: string
  readonly mode: "credit" | "audit"
}

/** Data of `academic.course.left`, version 1. */
export type AcademicCourseLeftV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly studentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly courseId: string
  readonly leftAt: string
  readonly reason: "withdrawn" | "transferred" | "removed"
}

/** Data of `academic.course.published`, version 1. */
export type AcademicCoursePublishedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly courseId: string
  /** minLength 1, maxLength 200 */
  readonly title: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly teacherId: string
  readonly term: {
    /** minLength 1, maxLength 40 */
    readonly name: string
    /** pattern ^(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$ */
    readonly startsOn: string
    /** pattern ^(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$ */
    readonly endsOn: string
  }
  /** integer, minimum 0, maximum 60 */
  readonly credits: number
  /** integer, minimum 1, maximum 100000 */
  readonly capacity?: number
  /** maxItems 20 */
  readonly topics: ReadonlyArray<string>
}

/** Data of `academic.grade.posted`, version 1. */
export type AcademicGradePostedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly studentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly courseId: string
  /** minimum 0, maximum 100 */
  readonly grade: number
}

/** Data of `academic.grade.posted`, version 2. */
export type AcademicGradePostedV2 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly studentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly courseId: string
  /** minimum 0, maximum 100 */
  readonly grade: number
  readonly letter: "A" | "B" | "C" | "D" | "F"
}

/** Data of `academic.grade.posted`, version 3. */
export type AcademicGradePostedV3 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly studentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly courseId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly assignmentId?: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly graderId?: string
  readonly score: {
    /** minimum 0, maximum 1000 */
    readonly points: number
    /** minimum 1, maximum 1000 */
    readonly outOf: number
  }
  readonly letter: "A" | "B" | "C" | "D" | "F"
  /** minLength 1, maxLength 4000 */
  readonly feedback?: string
}

/** Data of `academic.grade.revised`, version 1. */
export type AcademicGradeRevisedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly studentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly courseId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly assignmentId?: string
  readonly from: {
    /** minimum 0, maximum 1000 */
    readonly points: number
    /** minimum 1, maximum 1000 */
    readonly outOf: number
  }
  readonly to: {
    /** minimum 0, maximum 1000 */
    readonly points: number
    /** minimum 1, maximum 1000 */
    readonly outOf: number
  }
  /** minLength 1, maxLength 500 */
  readonly reason: string
}

/** Data of `academic.performance.updated`, version 1. */
export type AcademicPerformanceUpdatedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly studentId: string
  /** minimum 0, maximum 100 */
  readonly average: number
  readonly trend: "rising" | "steady" | "falling"
  /** maxItems 50 */
  readonly courses: ReadonlyArray<{
    /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
    readonly courseId: string
    /** minimum 0, maximum 100 */
    readonly average: number
    /** integer, minimum 0, maximum 10000 */
    readonly gradedWork: number
  }>
  readonly computedAt: string
}

/** Data of `kyc.document.reviewed`, version 1. */
export type KycDocumentReviewedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly documentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly reviewerId: string
  readonly verdict: {
    readonly _tag: "Accepted"
  } | {
    readonly _tag: "Refused"
    readonly reason: "unreadable" | "expired" | "mismatch" | "forged" | "wrong-kind"
  } | {
    readonly _tag: "MoreNeeded"
    /** minItems 1 */
    readonly missing: readonly ["passport" | "national-id" | "driving-licence" | "residence-permit" | "student-card" | "teaching-certificate", ...ReadonlyArray<"passport" | "national-id" | "driving-licence" | "residence-permit" | "student-card" | "teaching-certificate">]
  }
  /** minLength 1, maxLength 1000 */
  readonly note?: string
  readonly reviewedAt: string
}

/** Data of `kyc.document.submitted`, version 1. */
export type KycDocumentSubmittedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly documentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  readonly kind: "passport" | "national-id" | "driving-licence" | "residence-permit" | "student-card" | "teaching-certificate"
  /** pattern ^[A-Z0-9-]{4,32}$ */
  readonly number: string
  /** pattern ^[A-Z]{2}$ */
  readonly issuedBy: string
  /** pattern ^(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$ */
  readonly expiresOn?: string
  readonly holder: {
    readonly name: {
      /** minLength 1, maxLength 100 */
      readonly given: string
      /** minLength 1, maxLength 100 */
      readonly family: string
    }
    /** pattern ^(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$ */
    readonly birthDate: string
  }
  /** minItems 1, maxItems 10 */
  readonly pages: ReadonlyArray<{
    readonly side: "front" | "back" | "inside"
    /** integer, minimum 1, maximum 50000000 */
    readonly bytes: number
    /** pattern ^[0-9a-f]{64}$ */
    readonly sha256: string
  }>
  readonly submittedAt: string
}

/** Data of `kyc.identity.rejected`, version 1. */
export type KycIdentityRejectedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  readonly before: "none" | "pending" | "in-review" | "verified" | "rejected" | "expired"
  /** minItems 1 */
  readonly reasons: readonly ["documents" | "sanctions" | "underage" | "duplicate" | "fraud", ...ReadonlyArray<"documents" | "sanctions" | "underage" | "duplicate" | "fraud">]
  readonly mayTryAgain: boolean
  readonly rejectedAt: string
}

/** Data of `kyc.identity.verified`, version 1. */
export type KycIdentityVerifiedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  readonly before: "none" | "pending" | "in-review" | "verified" | "rejected" | "expired"
  readonly level: "basic" | "full"
  /** minItems 1 */
  readonly documents: readonly [string, ...ReadonlyArray<string>]
  readonly verifiedAt: string
  readonly validUntil?: string
}

/** Data of `notification.dispatch.delivered`, version 1. */
export type NotificationDispatchDeliveredV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly notificationId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly recipientId: string
  /** minLength 1, maxLength 60 */
  readonly provider: string
  readonly deliveredAt: string
}

/** Data of `notification.dispatch.failed`, version 1. */
export type NotificationDispatchFailedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly notificationId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly recipientId: string
  /** minLength 1, maxLength 60 */
  readonly provider: string
  readonly reason: "bounced" | "unreachable" | "refused" | "expired" | "provider-error"
  readonly retryable: boolean
  /** integer, minimum 1, maximum 100 */
  readonly attempts: number
  readonly failedAt: string
}

/** Data of `notification.dispatch.requested`, version 1. */
export type NotificationDispatchRequestedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly notificationId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly recipientId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly templateId: string
  /** pattern ^[a-z]{2}(?:-[A-Z]{2})?$ */
  readonly locale: string
  readonly target: {
    readonly _tag: "Email"
    /** pattern ^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,3}$, maxLength 254 */
    readonly address: string
  } | {
    readonly _tag: "Sms"
    /** pattern ^\+[1-9]\d{6,14}$ */
    readonly number: string
  } | {
    readonly _tag: "Push"
    /** minLength 1, maxLength 300 */
    readonly deviceToken: string
  } | {
    readonly _tag: "InApp"
  }
  readonly urgency: "digest" | "normal" | "urgent"
  /** maxItems 40 */
  readonly values: ReadonlyArray<{
    /** minLength 1, maxLength 40 */
    readonly name: string
    /** minLength 1, maxLength 1000 */
    readonly value: string
  }>
  readonly notBefore?: string
}

/** Data of `notification.template.published`, version 1. */
export type NotificationTemplatePublishedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly templateId: string
  /** integer, minimum 1, maximum 100000 */
  readonly revision: number
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly publishedBy: string
  readonly channel: "email" | "sms" | "push" | "in-app"
  /** minItems 1, maxItems 40 */
  readonly texts: ReadonlyArray<{
    /** pattern ^[a-z]{2}(?:-[A-Z]{2})?$ */
    readonly locale: string
    /** minLength 1, maxLength 200 */
    readonly subject?: string
    /** minLength 1, maxLength 10000 */
    readonly body: string
  }>
  /** maxItems 40 */
  readonly placeholders: ReadonlyArray<string>
}

/** Data of `social.comment.added`, version 1. */
export type SocialCommentAddedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly commentId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly postId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly authorId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly answersTo?: string
  /** minLength 1, maxLength 2000 */
  readonly text: string
}

/** Data of `social.connection.accepted`, version 1. */
export type SocialConnectionAcceptedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly fromId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly toId: string
  readonly acceptedAt: string
}

/** Data of `social.connection.requested`, version 1. */
export type SocialConnectionRequestedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly fromId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly toId: string
  /** minLength 1, maxLength 300 */
  readonly note?: string
  readonly requestedAt: string
}

/** Data of `social.post.created`, version 1. */
export type SocialPostCreatedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly postId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly authorId: string
  /** minLength 1, maxLength 5000 */
  readonly text: string
}

/** Data of `social.post.created`, version 2. */
export type SocialPostCreatedV2 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly postId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly authorId: string
  /** minLength 1, maxLength 5000 */
  readonly text: string
  readonly audience: {
    readonly _tag: "Everyone"
  } | {
    readonly _tag: "Connections"
  } | {
    readonly _tag: "Course"
    /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
    readonly courseId: string
  }
  /** maxItems 10 */
  readonly tags: ReadonlyArray<string>
  /** maxItems 10 */
  readonly attachments: ReadonlyArray<{
    /** minLength 1, maxLength 500 */
    readonly url: string
    /** minLength 1, maxLength 300 */
    readonly alt?: string
  }>
}

/** Data of `social.post.removed`, version 1. */
export type SocialPostRemovedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly postId: string
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly removedBy: string
  readonly rule: "spam" | "harassment" | "privacy" | "cheating" | "other"
  /** minLength 1, maxLength 1000 */
  readonly note?: string
}

/** Data of `user.account.registered`, version 1. */
export type UserAccountRegisteredV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  readonly role: "student" | "teacher" | "teaching-assistant" | "guardian" | "registrar" | "moderator" | "kyc-officer" | "administrator" | "service"
  readonly name: {
    /** minLength 1, maxLength 100 */
    readonly given: string
    /** minLength 1, maxLength 100 */
    readonly family: string
  }
  /** pattern ^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,3}$, maxLength 254 */
  readonly email: string
  /** pattern ^(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$ */
  readonly birthDate?: string
  /** pattern ^[a-z]{2}(?:-[A-Z]{2})?$ */
  readonly locale: string
  readonly registeredAt: string
}

/** Data of `user.presence.changed`, version 1. */
export type UserPresenceChangedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  readonly presence: "online" | "idle" | "away"
  readonly device: "web" | "ios" | "android" | "desktop"
}

/** Data of `user.profile.updated`, version 1. */
export type UserProfileUpdatedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  /** minLength 1, maxLength 200 */
  readonly name: string
  /** pattern ^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,3}$, maxLength 254 */
  readonly email: string
}

/** Data of `user.profile.updated`, version 2. */
export type UserProfileUpdatedV2 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  /** minLength 1, maxLength 200 */
  readonly displayName: string
  /** pattern ^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,3}$, maxLength 254 */
  readonly email: string
  /** pattern ^[a-z]{2}(?:-[A-Z]{2})?$ */
  readonly locale: string
  /** minLength 1, maxLength 1000 */
  readonly bio?: string
  /** maxItems 10 */
  readonly links: ReadonlyArray<{
    /** minLength 1, maxLength 40 */
    readonly label: string
    /** minLength 1, maxLength 500 */
    readonly url: string
  }>
  readonly visibility: "everyone" | "school" | "connections" | "nobody"
}

/** Data of `user.relation.ended`, version 1. */
export type UserRelationEndedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  readonly relation: {
    readonly _tag: "GuardianOf"
    /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
    readonly studentId: string
    readonly custody: "full" | "shared" | "emergency"
  } | {
    readonly _tag: "TeacherOf"
    /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
    readonly studentId: string
    /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
    readonly courseId: string
  } | {
    readonly _tag: "Blocked"
    /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
    readonly otherId: string
  }
  readonly endedAt: string
}

/** Data of `user.relation.established`, version 1. */
export type UserRelationEstablishedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  readonly relation: {
    readonly _tag: "GuardianOf"
    /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
    readonly studentId: string
    readonly custody: "full" | "shared" | "emergency"
  } | {
    readonly _tag: "TeacherOf"
    /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
    readonly studentId: string
    /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
    readonly courseId: string
  } | {
    readonly _tag: "Blocked"
    /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
    readonly otherId: string
  }
  readonly since: string
}

/** Data of `user.role.granted`, version 1. */
export type UserRoleGrantedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  readonly role: "student" | "teacher" | "teaching-assistant" | "guardian" | "registrar" | "moderator" | "kyc-officer" | "administrator" | "service"
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly grantedBy: string
  readonly expiresAt?: string
}

/** Data of `user.status.changed`, version 1. */
export type UserStatusChangedV1 = {
  /** pattern ^[a-z0-9][a-z0-9-]{0,63}$ */
  readonly userId: string
  readonly from: "invited" | "unverified" | "active" | "suspended" | "closed"
  readonly to: "invited" | "unverified" | "active" | "suspended" | "closed"
  /** minLength 1, maxLength 500 */
  readonly reason: string
  readonly until?: string
}

/** The data of the newest version, by the name of the event. */
export interface Events {
  readonly "academic.assignment.published": AcademicAssignmentPublishedV1
  readonly "academic.assignment.submitted": AcademicAssignmentSubmittedV1
  readonly "academic.course.enrolled": AcademicCourseEnrolledV1
  readonly "academic.course.left": AcademicCourseLeftV1
  readonly "academic.course.published": AcademicCoursePublishedV1
  readonly "academic.grade.posted": AcademicGradePostedV3
  readonly "academic.grade.revised": AcademicGradeRevisedV1
  readonly "academic.performance.updated": AcademicPerformanceUpdatedV1
  readonly "kyc.document.reviewed": KycDocumentReviewedV1
  readonly "kyc.document.submitted": KycDocumentSubmittedV1
  readonly "kyc.identity.rejected": KycIdentityRejectedV1
  readonly "kyc.identity.verified": KycIdentityVerifiedV1
  readonly "notification.dispatch.delivered": NotificationDispatchDeliveredV1
  readonly "notification.dispatch.failed": NotificationDispatchFailedV1
  readonly "notification.dispatch.requested": NotificationDispatchRequestedV1
  readonly "notification.template.published": NotificationTemplatePublishedV1
  readonly "social.comment.added": SocialCommentAddedV1
  readonly "social.connection.accepted": SocialConnectionAcceptedV1
  readonly "social.connection.requested": SocialConnectionRequestedV1
  readonly "social.post.created": SocialPostCreatedV2
  readonly "social.post.removed": SocialPostRemovedV1
  readonly "user.account.registered": UserAccountRegisteredV1
  readonly "user.presence.changed": UserPresenceChangedV1
  readonly "user.profile.updated": UserProfileUpdatedV2
  readonly "user.relation.ended": UserRelationEndedV1
  readonly "user.relation.established": UserRelationEstablishedV1
  readonly "user.role.granted": UserRoleGrantedV1
  readonly "user.status.changed": UserStatusChangedV1
}

export type EventName = keyof Events

/** Any event, of any version, as it is on the wire. */
export type AnyEvent =
  | CloudEvent<"academic.assignment.published", 1, AcademicAssignmentPublishedV1>
  | CloudEvent<"academic.assignment.submitted", 1, AcademicAssignmentSubmittedV1>
  | CloudEvent<"academic.course.enrolled", 1, AcademicCourseEnrolledV1>
  | CloudEvent<"academic.course.left", 1, AcademicCourseLeftV1>
  | CloudEvent<"academic.course.published", 1, AcademicCoursePublishedV1>
  | CloudEvent<"academic.grade.posted", 1, AcademicGradePostedV1>
  | CloudEvent<"academic.grade.posted", 2, AcademicGradePostedV2>
  | CloudEvent<"academic.grade.posted", 3, AcademicGradePostedV3>
  | CloudEvent<"academic.grade.revised", 1, AcademicGradeRevisedV1>
  | CloudEvent<"academic.performance.updated", 1, AcademicPerformanceUpdatedV1>
  | CloudEvent<"kyc.document.reviewed", 1, KycDocumentReviewedV1>
  | CloudEvent<"kyc.document.submitted", 1, KycDocumentSubmittedV1>
  | CloudEvent<"kyc.identity.rejected", 1, KycIdentityRejectedV1>
  | CloudEvent<"kyc.identity.verified", 1, KycIdentityVerifiedV1>
  | CloudEvent<"notification.dispatch.delivered", 1, NotificationDispatchDeliveredV1>
  | CloudEvent<"notification.dispatch.failed", 1, NotificationDispatchFailedV1>
  | CloudEvent<"notification.dispatch.requested", 1, NotificationDispatchRequestedV1>
  | CloudEvent<"notification.template.published", 1, NotificationTemplatePublishedV1>
  | CloudEvent<"social.comment.added", 1, SocialCommentAddedV1>
  | CloudEvent<"social.connection.accepted", 1, SocialConnectionAcceptedV1>
  | CloudEvent<"social.connection.requested", 1, SocialConnectionRequestedV1>
  | CloudEvent<"social.post.created", 1, SocialPostCreatedV1>
  | CloudEvent<"social.post.created", 2, SocialPostCreatedV2>
  | CloudEvent<"social.post.removed", 1, SocialPostRemovedV1>
  | CloudEvent<"user.account.registered", 1, UserAccountRegisteredV1>
  | CloudEvent<"user.presence.changed", 1, UserPresenceChangedV1>
  | CloudEvent<"user.profile.updated", 1, UserProfileUpdatedV1>
  | CloudEvent<"user.profile.updated", 2, UserProfileUpdatedV2>
  | CloudEvent<"user.relation.ended", 1, UserRelationEndedV1>
  | CloudEvent<"user.relation.established", 1, UserRelationEstablishedV1>
  | CloudEvent<"user.role.granted", 1, UserRoleGrantedV1>
  | CloudEvent<"user.status.changed", 1, UserStatusChangedV1>
