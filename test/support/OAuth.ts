/** Tokens for a RabbitMQ that takes OAuth 2: keys of the test, the settings of a node that trusts them, and JWTs signed with them. */
import { generateKeyPairSync, sign } from "node:crypto"
import type { RabbitOptions } from "./RabbitNode.ts"

export interface TokenOptions {
  /** Seconds until it ends. */
  readonly seconds: number
  /** Default `svc`. */
  readonly subject?: string
  /** Default: everything. Scopes of topic exchanges have a third part, the routing key. */
  readonly scope?: string
}

export interface OAuth {
  /** Options of a node that takes tokens, and no passwords. */
  readonly node: RabbitOptions
  readonly token: (options: TokenOptions) => string
}

export const allScopes = ["configure", "write", "read"].map((right) => `rabbitmq.${right}:*/*/*`).join(" ")

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")

export const makeOAuth = (): OAuth => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  return {
    node: {
      files: { "public.pem": String(publicKey.export({ type: "spki", format: "pem" })) },
      plugins: ["rabbitmq_auth_backend_oauth2"],
      conf: {
        "auth_backends.1": "rabbit_auth_backend_oauth2",
        "auth_oauth2.resource_server_id": "rabbitmq",
        "auth_oauth2.default_key": "k1",
        "auth_oauth2.signing_keys.k1": "FILES/public.pem",
        "auth_oauth2.algorithms.1": "RS256"
      }
    },
    token: ({ scope = allScopes, seconds, subject = "svc" }) => {
      const now = Math.floor(Date.now() / 1000)
      const claims = { sub: subject, aud: "rabbitmq", iat: now, exp: now + seconds, scope }
      const text = `${encode({ alg: "RS256", typ: "JWT", kid: "k1" })}.${encode(claims)}`
      return `${text}.${sign("RSA-SHA256", Buffer.from(text), privateKey).toString("base64url")}`
    }
  }
}
