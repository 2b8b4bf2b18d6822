/**
 * Where brokers come from, in this order: installed binaries; on Debian or Ubuntu, as root, Debian's packages, installed
 * now (only on request: globalSetup.ts does, single nodes do not); a Docker engine. A broker with a given url
 * (`EVENTBUS_TEST_URL`, `EVENTBUS_TEST_REDIS_URL`) is used as the shared one, and nothing is installed for it. A version
 * that the environment asks for (BrokerVersions.ts) comes from a root of its own (BrokerRoot.ts), else from Docker.
 *
 * The same for Prometheus and its exporter of Redis, but never in containers: they must reach processes of this machine.
 */
import { accessSync, constants, realpathSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { brokerTools } from "./BrokerRoot.ts"
import { type BrokerVersion, wanted } from "./BrokerVersions.ts"
import { canInstall, install } from "./install.ts"
import { execute } from "./Machine.ts"

export type Broker = "rabbitmq" | "redis"

export type Source =
  | { readonly kind: "installed"; readonly folder: string }
  | { readonly kind: "docker"; readonly image: string }

const brokers = {
  rabbitmq: {
    url: "EVENTBUS_TEST_URL",
    package: "rabbitmq-server",
    image: "rabbitmq:3.13",
    tools: ["rabbitmq-server", "rabbitmqctl"],
    // Debian's /usr/sbin/rabbitmq-server is a wrapper that refuses other users than root and rabbitmq; the script behind
    // it does not.
    folders: ["/usr/lib/rabbitmq/bin", "/opt/homebrew/sbin", "/usr/local/sbin"],
    needs: ["erl", "epmd"]
  },
  redis: {
    url: "EVENTBUS_TEST_REDIS_URL",
    package: "redis-server",
    image: "redis:7",
    tools: ["redis-server", "redis-cli"],
    folders: ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"],
    needs: []
  }
} as const

const monitors = {
  prometheus: {
    package: "prometheus",
    tools: ["prometheus", "promtool"],
    folders: ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"],
    needs: []
  },
  redisExporter: {
    package: "prometheus-redis-exporter",
    tools: ["prometheus-redis-exporter"],
    folders: ["/usr/bin", "/usr/local/bin"],
    needs: []
  }
} as const

interface Program {
  readonly package: string
  readonly tools: readonly [string, ...ReadonlyArray<string>]
  /** Folders with its tools, beside the path. */
  readonly folders: ReadonlyArray<string>
  readonly needs: ReadonlyArray<string>
}

/** The folders of Prometheus and of its exporter of Redis; rejects with the reason when one is not here. */
export const findMonitors = async (
  options: { readonly install?: boolean } = {}
): Promise<Readonly<Record<keyof typeof monitors, string>>> => {
  const reasons: Array<string> = []
  const find = () => {
    const [prometheus, redisExporter] = [installed(monitors.prometheus), installed(monitors.redisExporter)]
    if (prometheus === undefined || redisExporter === undefined) return undefined
    return { prometheus: prometheus.folder, redisExporter: redisExporter.folder }
  }
  const found = find()
  if (found !== undefined) return found
  if (options.install === true && canInstall()) {
    try {
      await (installing ??= install(missingPackages()))
      const now = find()
      if (now !== undefined) return now
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new Error(["Debian's prometheus and prometheus-redis-exporter are not installed", ...reasons].join("; "))
}

/** The url that the environment gives for a broker. */
export const givenUrl = (broker: Broker): string | undefined => process.env[brokers[broker].url] || undefined

/** How a node of this broker can be started here; rejects with the reason when there is no way. */
export const findBroker = async (
  broker: Broker,
  /** `"brokers"`: without Prometheus and its exporter. */
  options: { readonly install?: boolean | "brokers" } = {}
): Promise<Source> => {
  const version = wanted(broker)
  if (version !== undefined) return findVersion(version)
  const found = installed(brokers[broker])
  if (found !== undefined) return found
  const reasons = [`${brokers[broker].package} is not installed`]
  if (options.install !== undefined && options.install !== false && canInstall()) {
    try {
      // All at once: a second installation would only wait for the lock of the first.
      await (installing ??= install(options.install === "brokers" ? missingBrokers() : missingPackages()))
      const now = installed(brokers[broker])
      if (now !== undefined) return now
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error))
    }
  }
  if (await dockerAnswers()) return { kind: "docker", image: brokers[broker].image }
  reasons.push("no Docker engine answers", `${brokers[broker].url} is not set`)
  throw new Error(reasons.join("; "))
}

const findVersion = async (version: BrokerVersion): Promise<Source> => {
  try {
    return { kind: "installed", folder: await brokerTools(version) }
  } catch (error) {
    if (await dockerAnswers()) return { kind: "docker", image: version.image }
    throw error
  }
}

let installing: Promise<void> | undefined
const missingBrokers = (): ReadonlyArray<string> =>
  (["rabbitmq", "redis"] as const)
    .filter((broker) => installed(brokers[broker]) === undefined && givenUrl(broker) === undefined)
    .map((broker) => brokers[broker].package)
const missingPackages = (): ReadonlyArray<string> => [
  ...missingBrokers(),
  ...Object.values(monitors)
    .filter((monitor) => installed(monitor) === undefined)
    .map((monitor) => monitor.package)
]

const installed = ({ folders, needs, tools }: Program): Extract<Source, { kind: "installed" }> | undefined => {
  if (!needs.every((tool) => findTool(tool) !== undefined)) return undefined
  const onPath = findTool(tools[0])
  // Real path: a tool may be a link into the folder that holds its siblings.
  const candidates = onPath === undefined ? folders : [...folders, dirname(realpathSync(onPath))]
  const folder = candidates.find((folder) => tools.every((tool) => isExecutable(join(folder, tool))))
  return folder === undefined ? undefined : { kind: "installed", folder }
}

/** A tool beside those of a broker, or else on the path. */
export const findBeside = (folder: string, tool: string): string | undefined => {
  const beside = join(folder, tool)
  return isExecutable(beside) ? beside : findTool(tool)
}

/** Where a tool is on the path. */
export const findTool = (tool: string): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, tool))
    .find(isExecutable)

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** `docker info` fails fast without an engine; an engine that hangs counts as none. Called once in a process. */
const dockerAnswers = (): Promise<boolean> => {
  if (findTool("docker") === undefined) return Promise.resolve(false)
  return (docker ??= execute("docker", ["info", "--format", "{{.ServerVersion}}"], process.env, { seconds: 5 }).then(
    (version) => version !== "",
    () => false
  ))
}
let docker: Promise<boolean> | undefined
