/**
 * Events of identity checks: documents are submitted and reviewed, then the identity is verified or rejected. Events of
 * documents have the key of the document, verdicts the key of the user. Numbers, names and birth dates are sensitive,
 * files are identified by their hash only, and nothing but the verdict is cached.
 */
import * as Schema from "effect/Schema"
import * as Event from "../event/Event.ts"
import { sensitive } from "../event/sensitive/Sensitive.ts"
import { BirthDate, Country, Day, DocumentId, Moment, PersonName, Sha256, text, UserId, whole } from "./fields.ts"
import { publishersOf } from "./permissions.ts"
import { KycStatus } from "./roles.ts"

const person = (data: { readonly userId: UserId }): string => data.userId

/** Kinds of documents that are accepted. */
export const DocumentKind = Schema.Literals([
  "passport",
  "national-id",
  "driving-licence",
  "residence-permit",
  "student-card",
  "teaching-certificate"
])

/** A document was submitted. */
export const DocumentSubmitted = Event.make("kyc.document.submitted", {
  version: 1,
  data: Schema.Struct({
    documentId: DocumentId,
    userId: UserId,
    kind: DocumentKind,
    number: sensitive(Schema.String.check(Schema.isPattern(/^[A-Z0-9-]{4,32}$/u, { expected: "a document number" }))),
    issuedBy: Country,
    expiresOn: Schema.optionalKey(Day),
    holder: Schema.Struct({ name: PersonName, birthDate: BirthDate }),
    pages: Schema.Array(
      Schema.Struct({ side: Schema.Literals(["front", "back", "inside"]), bytes: whole(1, 50_000_000), sha256: Sha256 })
    ).check(Schema.isMinLength(1), Schema.isMaxLength(10)),
    submittedAt: Moment
  }),
  key: (document) => document.documentId,
  publishers: publishersOf("kyc.document.submitted", person),
  cache: false
})

/** An officer reviewed a document. */
export const DocumentReviewed = Event.make("kyc.document.reviewed", {
  version: 1,
  data: Schema.Struct({
    documentId: DocumentId,
    userId: UserId,
    reviewerId: UserId,
    verdict: Schema.TaggedUnion({
      Accepted: {},
      Refused: { reason: Schema.Literals(["unreadable", "expired", "mismatch", "forged", "wrong-kind"]) },
      MoreNeeded: { missing: Schema.NonEmptyArray(DocumentKind) }
    }),
    note: Schema.optionalKey(sensitive(text(1000))),
    reviewedAt: Moment
  }),
  key: (review) => review.documentId,
  publishers: publishersOf("kyc.document.reviewed", person),
  cache: false
})

/** An identity was verified. */
export const IdentityVerified = Event.make("kyc.identity.verified", {
  version: 1,
  data: Schema.Struct({
    userId: UserId,
    before: KycStatus,
    level: Schema.Literals(["basic", "full"]),
    documents: Schema.NonEmptyArray(DocumentId),
    verifiedAt: Moment,
    validUntil: Schema.optionalKey(Moment)
  }),
  key: person,
  publishers: publishersOf("kyc.identity.verified", person),
  cache: { last: true, perKey: true, history: 5 }
})

/** An identity could not be verified. */
export const IdentityRejected = Event.make("kyc.identity.rejected", {
  version: 1,
  data: Schema.Struct({
    userId: UserId,
    before: KycStatus,
    reasons: Schema.NonEmptyArray(Schema.Literals(["documents", "sanctions", "underage", "duplicate", "fraud"])),
    mayTryAgain: Schema.Boolean,
    rejectedAt: Moment
  }),
  key: person,
  publishers: publishersOf("kyc.identity.rejected", person),
  cache: { last: true, perKey: true, history: 5 }
})
