/** What a server says of itself when it is connected to: its version, its cluster, and the end of the login. */
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type { Notes } from "../../bus/support/Notes.ts"
import type { OpenConnection } from "../connection/Dial.ts"
import * as Given from "../connection/Given.ts"
import * as Token from "../connection/Token.ts"

export const versionOf = ({ model }: OpenConnection): string => text(model.connection.serverProperties.version)

const clusterOf = ({ model }: OpenConnection): string =>
  text(Reflect.get(model.connection.serverProperties, "cluster_name"))

const text = (value: unknown): string => (Predicate.isString(value) ? value : "unknown")

/** What a version of RabbitMQ means for the library, and for who operates it. */
export const meaningOf = (version: string): string => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const release = major + minor / 1000
  if (release < 4) return "out of support by its makers; a look at dead letters needs the right to write <ns>.dead"
  if (release < 4.003) return "consumer_timeout holds as the broker sets it; queues count each return"
  return "subscribers ask for their own consumer timeout; a look at dead letters costs them no life, nor does the orderly stop of an unordered subscriber"
}

const oldest = 3.01

export const versions = (notes: Notes, connections: ReadonlyArray<OpenConnection>): void => {
  const found = [...new Set(connections.map(versionOf))]
  const [first] = found
  if (first === undefined) return
  const [major = 0, minor = 0] = first.split(".").map(Number)
  if (major + minor / 1000 < oldest)
    notes.error("rabbitmq.version", `RabbitMQ ${first} is older than 3.10`, "upgrade: docs/guides/upgrade-rabbitmq.md")
  else for (const version of found) notes.fact(`RabbitMQ ${version}: ${meaningOf(version)}`)
  if (found.length > 1)
    notes.warning(
      "rabbitmq.version.mix",
      `the addresses lead to different versions: ${found.join(", ")}`,
      "finish the rolling upgrade within hours: docs/guides/upgrade-rabbitmq.md"
    )
  const clusters = [...new Set(connections.map(clusterOf))]
  if (clusters.length > 1)
    notes.error(
      "rabbitmq.cluster",
      `the addresses lead to ${clusters.length} clusters (${clusters.join(", ")}): events of one do not reach the other`,
      "name nodes of one cluster in EVENTBUS_URL: rabbitmqctl cluster_status"
    )
}

const hour = 3_600_000

/** A token that stands in the address is never renewed. */
export const credentials = (notes: Notes, { address, credentials: login }: OpenConnection, now: number): void => {
  if (login === undefined) return
  const end = Given.endOf({ ...login, token: login.token ?? Token.read(Redacted.value(login.password)) })
  if (end === undefined) return
  notes.add(
    end - now < hour ? "error" : "warning",
    "rabbitmq.credentials.expiry",
    `${address}: the password is a token that ends at ${new Date(end).toISOString()}, and then nothing renews it`,
    "give the option credentials in the service: docs/guides/on-rabbitmq.md, Credentials that end"
  )
}
