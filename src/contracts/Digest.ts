/**
 * The digest of what each version of a contract promises of its data: processes with the same one read and write the
 * same. It is made of the JSON Schema that Effect writes, so digests of different versions of Effect cannot be compared.
 */
import { hash } from "node:crypto"
import { createRequire } from "node:module"
import * as Predicate from "effect/Predicate"
import type * as Event from "../event/Event.ts"
import * as Snapshot from "./Snapshot.ts"

/** By version; null where the schema has no JSON Schema. */
export type Digests = Readonly<Record<string, string | null>>

export const of = (event: Event.Any): Digests =>
  Object.fromEntries(
    Snapshot.versionsOf(event).map(({ data, version }) => {
      try {
        if (Snapshot.notComparedOf(data) !== undefined) return [String(version), null] as const
        const text = JSON.stringify(Snapshot.ofVersion(data))
        return [String(version), hash("sha256", text, "base64url").slice(0, length)] as const
      } catch {
        // A schema of the user may have parts that throw.
        return [String(version), null] as const
      }
    })
  )

/** 72 bits: enough that no two contracts of one event meet. */
const length = 12

/** Changes with what a digest is made of. */
const form = 1

/** Digests are compared where these are equal. */
export const by = (): string => {
  const manifest: unknown = createRequire(import.meta.url)("effect/package.json")
  const version = Predicate.hasProperty(manifest, "version") ? String(manifest.version) : "?"
  return `${form}/effect ${version}`
}
