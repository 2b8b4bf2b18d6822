/** What a JSON Web Token says of itself. It is read, not verified: RabbitMQ does that. SecretRenewal.ts renews it. */
import * as Predicate from "effect/Predicate"

export interface Token {
  /** Milliseconds since the epoch; undefined if it does not end. */
  readonly expiresAt: number | undefined
  /** Its claims for errors, without the token. */
  readonly claims: string
}

/** The claims that say whose it is, for whom, and what it allows. */
const named = ["iss", "sub", "client_id", "aud", "scope"] as const
const maxChars = 300

/** Undefined for any other password. */
export const read = (password: string): Token | undefined => {
  const [, payload, , ...others] = /^[\w-]+\.[\w-]+\.[\w-]*$/.test(password) ? password.split(".") : []
  if (payload === undefined || others.length > 0) return undefined
  const claims = parse(Buffer.from(payload, "base64url").toString())
  if (!Predicate.isObject(claims)) return undefined
  const { exp } = claims as { readonly exp?: unknown }
  const expiresAt = Predicate.isNumber(exp) && Number.isFinite(exp) ? exp * 1000 : undefined
  const texts = named.flatMap((name) => {
    const text = textOf(Reflect.get(claims, name))
    return text === undefined ? [] : [`${name} ${JSON.stringify(text.slice(0, maxChars))}`]
  })
  return { expiresAt, claims: [...texts, endOf(expiresAt)].join(", ") }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const textOf = (claim: unknown): string | undefined => {
  if (Predicate.isString(claim)) return claim
  return Array.isArray(claim) && claim.every(Predicate.isString) ? claim.join(" ") : undefined
}

/** `Date` takes years up to 275,760 only. */
const endOf = (at: number | undefined): string =>
  at === undefined || Number.isNaN(new Date(at).getTime()) ? "without an end" : `until ${new Date(at).toISOString()}`
