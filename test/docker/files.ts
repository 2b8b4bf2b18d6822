/** The files of docker/, parsed. */
import { copyFileSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { parse } from "yaml"
import { openScratch } from "../support/Scratch.ts"

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
  readonly ulimits?: { readonly nofile: number }
}

export const read = (path: string): string => readFileSync(join(docker, path), "utf8")
export const yaml = (path: string): unknown => parse(read(path))

// Compose.test.ts validates it against the schema of compose files.
export const composed = () =>
  yaml("compose.yaml") as {
    readonly services: Readonly<Record<string, Service>>
    readonly volumes: Readonly<Record<string, unknown>>
  }

/**
 * The path of a copy in the temporary folder, until this process ends: a server of another suite of Debian, which runs in a
 * root of its own, sees no other folder of this machine.
 */
export const copyOf = (path: string): string => {
  const copy = join(openScratch("docker").dir, basename(path))
  copyFileSync(join(docker, path), copy)
  return copy
}

/** The settings of the compose file, of RabbitMQ, adapted to a process of this machine. */
export const rabbitConf = (): Record<string, string> => ({
  ...Object.fromEntries(
    read("rabbitmq/rabbitmq.conf")
      .split("\n")
      .filter((line) => /^\w/.test(line))
      .map((line) => line.split(" = ") as [string, string])
  ),
  "definitions.local.path": copyOf("rabbitmq/definitions.json"),
  "disk_free_limit.absolute": "20MB"
})
