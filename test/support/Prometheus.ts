/**
 * A Prometheus for one test: it scrapes the given targets, evaluates the given rules, and answers
 * queries. Its port, data and log are its own and are gone with it.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { stringify } from "yaml"
import { execute } from "./Machine.ts"
import { freePort } from "./Port.ts"
import { findMonitors } from "./provision.ts"
import { openScratch } from "./Scratch.ts"

export interface PrometheusOptions {
  /** Addresses, by job. */
  readonly targets: Readonly<Record<string, ReadonlyArray<string>>>
  /** A file of rules, as an object. */
  readonly rules: object
  /** How often it scrapes and evaluates. */
  readonly interval: string
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}

export interface FiringAlert {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export interface RuleHealth {
  readonly name: string
  readonly health: string
  readonly lastError: string
}

export interface Prometheus extends AsyncDisposable {
  /** Evaluates a query now; rejects with the message of Prometheus when it is invalid. */
  readonly query: (expr: string) => Promise<ReadonlyArray<Sample>>
  readonly firing: () => Promise<ReadonlyArray<FiringAlert>>
  readonly ruleHealth: () => Promise<ReadonlyArray<RuleHealth>>
  /** Targets whose last scrape succeeded. */
  readonly healthyTargets: () => Promise<ReadonlyArray<string>>
}

/** Runs promtool and returns its output; rejects when it finds a fault. */
export const promtool = async (...args: ReadonlyArray<string>): Promise<string> =>
  execute(join((await findMonitors()).prometheus, "promtool"), args, { PATH: process.env["PATH"] })

interface Answer<A> {
  readonly status: string
  readonly error?: string
  readonly data: A
}

export const startPrometheus = async (options: PrometheusOptions): Promise<Prometheus> => {
  const { interval, rules, targets } = options
  const folder = (await findMonitors()).prometheus
  const scratch = openScratch("prometheus")
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const inside = (name: string): string => join(scratch.dir, name)
  // The API v1 of Prometheus declares its answers.
  const get = async <A>(path: string, parameters: Record<string, string> = {}): Promise<A> => {
    const response = await fetch(`${base}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const answer = (await response.json()) as Answer<A>
    if (answer.status !== "success") throw new Error(`${parameters["query"] ?? path}: ${answer.error}`)
    return answer.data
  }
  try {
    writeFileSync(inside("rules.yaml"), stringify(rules))
    writeFileSync(
      inside("prometheus.yaml"),
      stringify({
        global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
        rule_files: ["rules.yaml"],
        scrape_configs: Object.entries(targets).map(([job_name, addresses]) => ({
          job_name,
          static_configs: [{ targets: addresses }]
        }))
      })
    )
    await promtool("check", "config", inside("prometheus.yaml"))
    const task = await scratch.start({
      command: join(folder, "prometheus"),
      args: [
        `--config.file=${inside("prometheus.yaml")}`,
        `--storage.tsdb.path=${inside("data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--web.enable-lifecycle"
      ],
      env: { PATH: process.env["PATH"], GOMAXPROCS: "1" },
      log: "prometheus.log"
    })
    for (let isReady = false; !isReady;) {
      if (task.ended() !== undefined)
        throw new Error(`Prometheus ended: ${task.ended()}\n${scratch.tail("prometheus.log")}`)
      isReady = await fetch(`${base}/-/ready`).then(
        ({ ok }) => ok,
        () => false
      )
      if (!isReady) await delay(20)
    }
  } catch (error) {
    await scratch.close()
    throw error
  }
  return {
    query: async (query) => {
      type Vector = ReadonlyArray<{ readonly metric: Record<string, string>; readonly value: [number, string] }>
      const { result, resultType } = await get<{ resultType: string; result: Vector | [number, string] }>("query", {
        query
      })
      if (resultType === "scalar") return [{ metric: {}, value: Number(result[1]) }]
      return (result as Vector).map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }))
    },
    firing: async () => {
      type Alerts = ReadonlyArray<Omit<FiringAlert, "name"> & { readonly state: string }>
      const { alerts } = await get<{ alerts: Alerts }>("alerts")
      return alerts
        .filter(({ state }) => state === "firing")
        .map(({ annotations, labels }) => ({ name: labels["alertname"] ?? "", labels, annotations }))
    },
    ruleHealth: async () => {
      type Rules = ReadonlyArray<{ readonly rules: ReadonlyArray<RuleHealth> }>
      const { groups } = await get<{ groups: Rules }>("rules")
      return groups.flatMap(({ rules }) => rules)
    },
    healthyTargets: async () => {
      type Targets = ReadonlyArray<{ readonly scrapePool: string; readonly health: string }>
      const { activeTargets } = await get<{ activeTargets: Targets }>("targets")
      return activeTargets.filter(({ health }) => health === "up").map(({ scrapePool }) => scrapePool)
    },
    [Symbol.asyncDispose]: scratch.close
  }
}

/** The exporter of Redis. */
export interface RedisExporter extends AsyncDisposable {
  readonly address: string
  /** The metrics page, as soon as there is one. */
  readonly scrape: () => Promise<string>
}

export const startRedisExporter = async (
  redis: string,
  login?: { readonly user: string; readonly password: string }
): Promise<RedisExporter> => {
  const folder = (await findMonitors()).redisExporter
  const scratch = openScratch("redis-exporter")
  const address = `127.0.0.1:${await freePort()}`
  const task = await scratch.start({
    command: join(folder, "prometheus-redis-exporter"),
    args: ["-web.listen-address", address, "-redis.addr", redis],
    env: {
      PATH: process.env["PATH"],
      ...(login !== undefined && {
        REDIS_USER: login.user,
        REDIS_PASSWORD: login.password,
        REDIS_EXPORTER_CONFIG_COMMAND: "-"
      })
    },
    log: "exporter.log"
  })
  return {
    address,
    scrape: async () => {
      for (;;) {
        const text = await fetch(`http://${address}/metrics`).then(
          (response) => response.text(),
          () => ""
        )
        if (text !== "") return text
        if (task.ended() !== undefined) throw new Error(`the exporter ended: ${scratch.tail("exporter.log")}`)
        await delay(20)
      }
    },
    [Symbol.asyncDispose]: scratch.close
  }
}
