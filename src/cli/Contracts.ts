/**
 * Contracts and subscribers of the services that are operated, from a module: `--contracts <file>`, or `"eventbus"` in
 * package.json. What needs none works without.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { SubscriberSpec } from "../bus/port/Broker.ts"
import * as Event from "../event/Event.ts"
import * as SchemaModule from "../event/SchemaModule.ts"
import { specsIn } from "../operations/Specs.ts"
import { UsageError } from "./UsageError.ts"

export interface Known {
  readonly contracts: ReadonlyMap<string, Event.Any>
  /** Names. */
  readonly subscribers: ReadonlyArray<string>
  /** What those of the module declare. */
  readonly specs: ReadonlyArray<SubscriberSpec>
  /** Names of the events that the service publishes; undefined where the module does not say. */
  readonly publishes: ReadonlyArray<string> | undefined
  /** The same by service, where the module names services. */
  readonly publishers: ReadonlyArray<Publishing>
  /** Of package.json. */
  readonly management: string | undefined
  readonly title: string
  readonly version: string
}

/** A service and the names of the events that it publishes. */
export interface Publishing {
  readonly service: string
  readonly events: ReadonlyArray<string>
}

/** `"eventbus"` in package.json. */
interface Manifest {
  readonly folder: string
  readonly contracts: string | undefined
  readonly subscribers: ReadonlyArray<string>
  readonly management: string | undefined
  readonly title: string
  readonly version: string
}

export const load = Effect.fnUntraced(function* (file: string | undefined, named: ReadonlyArray<string>) {
  const manifest = yield* readManifest(process.cwd())
  const path =
    file !== undefined
      ? resolve(file)
      : manifest?.contracts === undefined
        ? undefined
        : resolve(manifest.folder, manifest.contracts)
  const found = path === undefined ? undefined : yield* importModule(path)
  const subscribers = new Set([...(found?.subscribers ?? []), ...(manifest?.subscribers ?? []), ...named])
  return {
    contracts: found?.contracts ?? new Map(),
    subscribers: [...subscribers],
    specs: found?.specs ?? [],
    publishes: found?.publishes,
    publishers: found?.publishers ?? [],
    management: manifest?.management,
    title: manifest?.title ?? "events",
    version: manifest?.version ?? "0.0.0"
  } satisfies Known
})

const readManifest = (start: string): Effect.Effect<Manifest | undefined, UsageError> =>
  Effect.suspend(() => {
    for (let folder = start; ; folder = dirname(folder)) {
      const path = join(folder, "package.json")
      if (existsSync(path)) return parseManifest(folder, path)
      if (folder === dirname(folder)) return Effect.succeed(undefined)
    }
  })

const parseManifest = (folder: string, path: string): Effect.Effect<Manifest | undefined, UsageError> =>
  Effect.try({
    try: (): Manifest | undefined => {
      const manifest: unknown = JSON.parse(readFileSync(path, "utf8"))
      if (!Predicate.isObject(manifest)) return undefined
      const { eventbus, name, version }: Readonly<Record<string, unknown>> = manifest
      const settings: Readonly<Record<string, unknown>> = Predicate.isObject(eventbus) ? eventbus : {}
      const { contracts, management, subscribers } = settings
      return {
        folder,
        title: Predicate.isString(name) ? name : "events",
        version: Predicate.isString(version) ? version : "0.0.0",
        contracts: Predicate.isString(contracts) ? contracts : undefined,
        management: Predicate.isString(management) ? management : undefined,
        subscribers: Array.isArray(subscribers) ? subscribers.filter(Predicate.isString) : []
      }
    },
    catch: () => new UsageError({ problem: `${path} cannot be read as JSON` })
  })

/** Every export that is a contract, a group or a list of contracts; and the export `subscribers`. */
const importModule = (path: string) =>
  Effect.tryPromise({
    try: async () => {
      await SchemaModule.load()
      const exports: Readonly<Record<string, unknown>> = await import(pathToFileURL(path).href)
      const contracts = new Map<string, Event.Any>()
      for (const value of Object.values(exports)) for (const event of eventsIn(value)) contracts.set(event.name, event)
      const { publishes, subscribers } = exports
      return {
        contracts,
        subscribers: subscribersIn(subscribers),
        specs: specsIn(subscribers),
        publishes: publishes === undefined ? undefined : publishedIn(publishes),
        publishers: publishersIn(publishes)
      }
    },
    catch: (error) =>
      new UsageError({
        problem: `the contracts module ${path} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`
      })
  })

const isEvent = (value: unknown): value is Event.Any =>
  Predicate.hasProperty(value, Event.TypeId) && Predicate.hasProperty(value, "dataCodec")

const eventsIn = (value: unknown): ReadonlyArray<Event.Any> => {
  if (isEvent(value)) return [value]
  if (Array.isArray(value)) return value.filter(isEvent)
  if (Predicate.hasProperty(value, "events")) return eventsIn(value.events)
  return []
}

/** A list of contracts and groups, or such lists by the names of services. */
const publishedIn = (value: unknown): ReadonlyArray<string> => {
  const services = publishersIn(value)
  return services.length > 0
    ? [...new Set(services.flatMap(({ events }) => events))]
    : (Array.isArray(value) ? value : [value]).flatMap(eventsIn).map((event) => event.name)
}

const publishersIn = (value: unknown): ReadonlyArray<Publishing> =>
  !Predicate.isObject(value) || eventsIn(value).length > 0
    ? []
    : Object.entries(value).map(([service, events]) => ({ service, events: publishedIn(events) }))

/** The names in `[{ name }]`: what is given to `Subscriber.layer` may stand beside them. */
const subscribersIn = (value: unknown): ReadonlyArray<string> =>
  (Array.isArray(value) ? value : []).flatMap((one: unknown) =>
    Predicate.hasProperty(one, "name") && Predicate.isString(one.name) ? [one.name] : []
  )
