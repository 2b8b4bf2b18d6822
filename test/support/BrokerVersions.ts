/**
 * Which versions of the brokers the tests can be run on, and where each comes from: a suite of Debian, or an image.
 *
 * `EVENTBUS_TEST_RABBITMQ` and `EVENTBUS_TEST_KV` name the version; without them the tests take what is installed. README,
 * guides and the compose file name the versions of this file: a test fails when they name others.
 */
export type DebianSuite = "bookworm" | "trixie" | "sid"

export interface BrokerVersion {
  readonly suite: DebianSuite
  /** Debian's package whose version is checked. */
  readonly package: string
  /** What the version of that package begins with, without an epoch. */
  readonly version: string
  /** The version that the whole suite was run on; absent where it was not. */
  readonly tested?: string
  readonly image: string
  /** Prefix of the tools: Valkey has the tools of Redis under another name. */
  readonly tools: "rabbitmq" | "redis" | "valkey"
}

/** "4.3." of "4.3.6". */
const seriesOf = (version: string): string => version.replace(/\d+$/, "")

const rabbit = (suite: DebianSuite, tested: string, image: string): BrokerVersion => ({
  suite,
  package: "rabbitmq-server",
  version: seriesOf(tested),
  tested,
  image,
  tools: "rabbitmq"
})
const kv = (suite: DebianSuite, tools: "redis" | "valkey", tested: string, image: string): BrokerVersion => ({
  suite,
  package: `${tools}-server`,
  version: seriesOf(tested),
  tested,
  image,
  tools
})

const rabbits: Readonly<Record<string, BrokerVersion>> = {
  // No image: Docker's RabbitMQ 3.10 is for amd64 of 2023 only, and 3.13 behaves alike.
  "3.10": rabbit("bookworm", "3.10.8", "rabbitmq:3.13"),
  "4.0": rabbit("trixie", "4.0.5", "rabbitmq:4.0"),
  "4.3": rabbit("sid", "4.3.6", "rabbitmq:4.3")
}
const kvs: Readonly<Record<string, BrokerVersion>> = {
  "redis-7": kv("bookworm", "redis", "7.0.15", "redis:7"),
  "redis-8": kv("sid", "redis", "8.0.6", "redis:8"),
  // In between, for bisecting.
  "valkey-8": { suite: "trixie", package: "valkey-server", version: "8.1.", image: "valkey/valkey:8", tools: "valkey" },
  "valkey-9": kv("sid", "valkey", "9.1.2", "valkey/valkey:9")
}

/** The version of each broker that can be asked for. */
export const known = { rabbitmq: Object.keys(rabbits), redis: Object.keys(kvs) } as const

const testedOf = (versions: ReadonlyArray<BrokerVersion>): ReadonlyArray<string> =>
  versions.flatMap(({ tested }) => tested ?? [])

/** The versions that the suite was run on, oldest first. */
export const tested = {
  RabbitMQ: testedOf(Object.values(rabbits)),
  Redis: testedOf(Object.values(kvs).filter(({ tools }) => tools === "redis")),
  Valkey: testedOf(Object.values(kvs).filter(({ tools }) => tools === "valkey"))
} as const

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
