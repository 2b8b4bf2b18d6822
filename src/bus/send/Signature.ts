/**
 * The signature of a message that the runtime itself sends: HMAC-SHA256 with a secret of the namespace over where it
 * goes, the event and every header but those of the broker. So nobody without the secret can write such a message, nor
 * change one, nor send one to another subscriber.
 */
import { createHmac, type Hmac, timingSafeEqual } from "node:crypto"
import type { Body } from "../../event/Body.ts"

export const header = "bus-signature"

/** A message as it is sent and as it is received. */
export interface Signed {
  readonly body: Body
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: {
    readonly messageId: string | undefined
    readonly type: string | undefined
    readonly timestamp: number | undefined
    readonly appId: string | undefined
    readonly contentType: string | undefined
  }
}

/** The version of what is signed, and how. */
const version = "1"
const prefix = `${version}:`

export class Signer {
  private readonly namespace: string
  private readonly secrets: ReadonlyArray<string>

  /** The first secret signs; the others are accepted, too. */
  constructor(namespace: string, secrets: ReadonlyArray<string>) {
    this.namespace = namespace
    this.secrets = secrets
  }

  /** `place` is where the message goes. */
  sign(place: string, message: Signed): string {
    return prefix + this.digest(this.secrets[0] ?? "", place, message).toString("base64url")
  }

  isValid(place: string, message: Signed): boolean {
    const given = message.headers[header]
    if (typeof given !== "string" || !given.startsWith(prefix)) return false
    const digest = Buffer.from(given.slice(prefix.length), "base64url")
    return this.secrets.some((secret) => {
      const expected = this.digest(secret, place, message)
      return digest.length === expected.length && timingSafeEqual(digest, expected)
    })
  }

  private digest(secret: string, place: string, { body, headers, properties }: Signed): Buffer {
    const hmac = createHmac("sha256", secret)
    add(hmac, version)
    add(hmac, this.namespace)
    add(hmac, place)
    add(hmac, properties.messageId ?? "")
    add(hmac, properties.type ?? "")
    add(hmac, properties.appId ?? "")
    add(hmac, properties.contentType ?? "")
    // Brokers keep whole seconds.
    add(hmac, String(Math.floor((properties.timestamp ?? 0) / 1000)))
    for (const name of Object.keys(headers).filter(isSigned).toSorted()) {
      add(hmac, name)
      add(hmac, `${typeof headers[name]} ${String(headers[name])}`)
    }
    return hmac.update(body).digest()
  }
}

/** The broker, and the tools of its operators, add headers of their own. */
const isSigned = (name: string): boolean => name !== header && !name.startsWith("x-")

/** With its length, so that no two lists of texts are the same bytes. */
const add = (hmac: Hmac, text: string): void => {
  hmac.update(`${Buffer.byteLength(text)}:`).update(text)
}
