/** The files of docker/, parsed. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"

export const docker = join(import.meta.dirname, "../../docker")

export interface Service {
  readonly image?: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: ReadonlyArray<string>
  readonly volumes?: ReadonlyArray<string>
  readonly command?: ReadonlyArray<string>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test: ReadonlyArray<string> }
  readonly stop_grace_period?: string
}

export const read = (path: string): string => readFileSync(join(docker, path), "utf8")
export const yaml = (path: string): unknown => parse(read(path))

// Compose.test.ts validates it against the schema of compose files.
export const composed = () =>
  yaml("compose.yaml") as {
    readonly services: Readonly<Record<string, Service>>
    readonly volumes: Readonly<Record<string, unknown>>
  }

/** The settings of the compose file, of RabbitMQ, adapted to a process of this machine. */
export const rabbitConf = (): Record<string, string> => ({
  ...Object.fromEntries(
    read("rabbitmq/rabbitmq.conf")
      .split("\n")
      .filter((line) => /^\w/.test(line))
      .map((line) => line.split(" = ") as [string, string])
  ),
  "definitions.local.path": join(docker, "rabbitmq/definitions.json"),
  "disk_free_limit.absolute": "20MB"
})
