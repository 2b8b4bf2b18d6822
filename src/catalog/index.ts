/**
 * EduFlow's events: every contract by name, one group for each domain, and `catalog` with all of them. This is data
 * only: importing it does no I/O and loads nothing of the bus.
 */
import * as EventGroup from "../event/EventGroup.ts"
import * as academicEvents from "./academic.ts"
import * as kycEvents from "./kyc.ts"
import * as notificationEvents from "./notification.ts"
import * as socialEvents from "./social.ts"
import * as userEvents from "./user.ts"

export * from "./academic.ts"
export * from "./fields.ts"
export * from "./kyc.ts"
export * from "./notification.ts"
export * from "./permissions.ts"
export * from "./roles.ts"
export * from "./social.ts"
export * from "./user.ts"

/** Courses, assignments, grades and performance. */
export const academic = EventGroup.make(
  academicEvents.CoursePublished,
  academicEvents.CourseEnrolled,
  academicEvents.CourseLeft,
  academicEvents.AssignmentPublished,
  academicEvents.AssignmentSubmitted,
  academicEvents.GradePosted,
  academicEvents.GradeRevised,
  academicEvents.PerformanceUpdated
)

/** Accounts, profiles, roles, relations and presence. */
export const user = EventGroup.make(
  userEvents.AccountRegistered,
  userEvents.ProfileUpdated,
  userEvents.StatusChanged,
  userEvents.RoleGranted,
  userEvents.RelationEstablished,
  userEvents.RelationEnded,
  userEvents.PresenceChanged
)

/** Posts, comments and connections. */
export const social = EventGroup.make(
  socialEvents.PostCreated,
  socialEvents.PostRemoved,
  socialEvents.CommentAdded,
  socialEvents.ConnectionRequested,
  socialEvents.ConnectionAccepted
)

/** Templates and dispatches. */
export const notification = EventGroup.make(
  notificationEvents.TemplatePublished,
  notificationEvents.DispatchRequested,
  notificationEvents.DispatchDelivered,
  notificationEvents.DispatchFailed
)

/** Documents and identities. */
export const kyc = EventGroup.make(
  kycEvents.DocumentSubmitted,
  kycEvents.DocumentReviewed,
  kycEvents.IdentityVerified,
  kycEvents.IdentityRejected
)

/** Every event of EduFlow. */
export const catalog = EventGroup.make(
  ...academic.events,
  ...user.events,
  ...social.events,
  ...notification.events,
  ...kyc.events
)
