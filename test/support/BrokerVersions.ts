/**
 * Which versions of the brokers the tests can be run on, and where each comes from: a suite of Debian, or an image.
 *
 * `EVENTBUS_TEST_RABBITMQ` and `EVENTBUS_TEST_KV` name the version; without them the tests take what is installed.
 */
export type DebianSuite = "bookworm" | "trixie" | "sid"

export interface BrokerVersion {
  readonly suite: DebianSuite
  /** Debian's package whose version is checked. */
  readonly package: string
  /** What the version of that package begins with, without an epoch. */
  readonly version: string
  readonly image: string
  /** Prefix of the tools: Valkey has the tools of Redis under another name. */
  readonly tools: "rabbitmq" | "redis" | "valkey"
}

const rabbit = (suite: DebianSuite, version: string, image: string): BrokerVersion => ({
  suite,
  package: "rabbitmq-server",
  version,
  image,
  tools: "rabbitmq"
})
const kv = (suite: DebianSuite, tools: "redis" | "valkey", version: string, image: string): BrokerVersion => ({
  suite,
  package: `${tools}-server`,
  version,
  image,
  tools
})

const rabbits: Readonly<Record<string, BrokerVersion>> = {
  // No image: Docker's RabbitMQ 3.10 is for amd64 of 2023 only, and 3.13 behaves alike.
  "3.10": rabbit("bookworm", "3.10.", "rabbitmq:3.13"),
  "4.0": rabbit("trixie", "4.0.", "rabbitmq:4.0"),
  "4.3": rabbit("sid", "4.3.", "rabbitmq:4.3")
}
const kvs: Readonly<Record<string, BrokerVersion>> = {
  "redis-7": kv("bookworm", "redis", "7.", "redis:7"),
  "redis-8": kv("trixie", "redis", "8.", "redis:8"),
  "valkey-8": kv("trixie", "valkey", "8.", "valkey/valkey:8"),
  "valkey-9": kv("sid", "valkey", "9.", "valkey/valkey:9")
}

/** The version of each broker that can be asked for. */
export const known = { rabbitmq: Object.keys(rabbits), redis: Object.keys(kvs) } as const

/** The version that the environment asks for. */
export const wanted = (broker: "rabbitmq" | "redis"): BrokerVersion | undefined => {
  const [variable, versions] =
    broker === "rabbitmq" ? (["EVENTBUS_TEST_RABBITMQ", rabbits] as const) : (["EVENTBUS_TEST_KV", kvs] as const)
  const name = process.env[variable]
  if (name === undefined || name === "") return undefined
  const found = versions[name]
  if (found === undefined)
    throw new Error(`${variable}="${name}" is no version that the tests know: ${Object.keys(versions).join(", ")}`)
  return found
}
