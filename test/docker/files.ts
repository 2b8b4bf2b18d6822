/** What is in docker/, read. */
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

// Compose.test.ts holds it against the schema of compose files first.
export const composed = () =>
  yaml("compose.yaml") as {
    readonly services: Readonly<Record<string, Service>>
    readonly volumes: Readonly<Record<string, unknown>>
  }
