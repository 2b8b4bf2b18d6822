/** What services share: contracts, and who publishes and subscribes. No service starts when it is imported. */
import { GradePosted } from "@eduflow/events/catalog"
import { CertificateIssued } from "./certificates.ts"

export { CertificateIssued, GradePosted }

export const publishes = { academic: [CertificateIssued, GradePosted] }

export const mailer = {
  name: "notification.mailer",
  events: [CertificateIssued, GradePosted],
  ordering: "key"
} as const

export const subscribers = [mailer]
