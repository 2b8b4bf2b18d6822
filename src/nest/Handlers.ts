/**
 * The handlers of an app: which methods of its providers and controllers `@OnEvent` stands on, and what each is called.
 */
import { ContextIdFactory, type ModuleRef, type ModulesContainer } from "@nestjs/core"
import { nameFault } from "../event/Name.ts"
import { madeOf } from "../bus/subscriber/WrittenHandler.ts"
import { DuplicateSubscriber, EventsModuleError, NoSubscriberName, UnknownBus } from "./EventsModuleError.ts"
import { type Noted, notedOn } from "./OnEvent.ts"

type Wrapper =
  ModulesContainer extends Map<string, infer M>
    ? M extends { readonly providers: Map<unknown, infer W> }
      ? W
      : never
    : never

export interface Found {
  readonly noted: Noted
  /** `Class.method`, and its module, for messages. */
  readonly place: string
  /** Undefined for an ephemeral subscriber. */
  readonly name: string | undefined
  readonly handler: (...args: ReadonlyArray<unknown>) => unknown
}

/** Makes the instance that handles one event. */
type InstanceOf = (event: unknown) => object | Promise<object>

export class Handlers {
  private readonly modules: ModulesContainer
  private readonly moduleRef: ModuleRef

  constructor(modules: ModulesContainer, moduleRef: ModuleRef) {
    this.modules = modules
    this.moduleRef = moduleRef
  }

  /** Those of the bus with this name, with a name for each. Throws when a name is missing or given twice. */
  find(bus: string | undefined, known: ReadonlyArray<string | undefined>, source: string): ReadonlyArray<Found> {
    const found: Array<Found> = []
    const places = new Map<string, string>()
    for (const { instanceOf, module, prototype } of this.hosts()) {
      for (const noted of notedOn(prototype)) {
        const method = `${prototype.constructor.name}.${String(noted.key)}`
        const place = `${method} (${module})`
        if (!known.includes(noted.bus)) throw unknownBus(place, noted.bus, known)
        if (noted.bus !== bus) continue
        const name = noted.ephemeral ? undefined : (noted.subscriber ?? derived(source, prototype, noted.key, method))
        if (name !== undefined) {
          const first = places.get(name)
          if (first !== undefined)
            throw new EventsModuleError({
              reason: new DuplicateSubscriber({ subscriber: name, first, second: place })
            })
          places.set(name, place)
        }
        found.push({ noted, place, name, handler: calling(noted.key, prototype, instanceOf) })
      }
    }
    return found
  }

  /** What may have handlers, each instance once: aliases and re-exports name the same one. */
  private *hosts(): Generator<{
    readonly prototype: object
    readonly module: string
    readonly instanceOf: InstanceOf
  }> {
    const seen = new Set<unknown>()
    for (const module of this.modules.values()) {
      for (const wrapper of [...module.providers.values(), ...module.controllers.values()]) {
        if (wrapper.isAlias) continue
        const isShared = wrapper.isDependencyTreeStatic() && !wrapper.isTransient
        const instance: unknown = isShared ? wrapper.instance : undefined
        const prototype = isShared ? prototypeOf(instance) : prototypeMadeBy(wrapper)
        if (prototype === undefined || (isShared && seen.has(instance))) continue
        seen.add(instance)
        yield {
          prototype,
          module: module.name,
          instanceOf: isObject(instance) ? () => instance : (event) => this.resolve(wrapper, event)
        }
      }
    }
  }

  /** A provider of a request or a transient one is made for each event, which is its `REQUEST`. */
  private resolve(wrapper: Wrapper, event: unknown): Promise<object> {
    const context = ContextIdFactory.create()
    this.moduleRef.registerRequestByContextId(event, context)
    // It has a class, and was found by its token.
    return this.moduleRef.resolve<object>(wrapper.token as Parameters<ModuleRef["resolve"]>[0], context, {
      strict: false
    })
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const prototypeOf = (instance: unknown): object | undefined =>
  isObject(instance) ? (Object.getPrototypeOf(instance) ?? undefined) : undefined

/** Undefined for a factory: what it makes is not known before there is an event. */
const prototypeMadeBy = ({ isNotMetatype, metatype }: Wrapper): object | undefined =>
  isNotMetatype ? undefined : metatype?.prototype

const calling = (key: string | symbol, prototype: object, instanceOf: InstanceOf): Found["handler"] => {
  const call = (instance: object, args: ReadonlyArray<unknown>): unknown =>
    // The decorator stood on a method with this key.
    Reflect.apply(Reflect.get(instance, key), instance, args)
  const handler: Found["handler"] = (...args) => {
    const instance = instanceOf(args[0])
    return instance instanceof Promise ? instance.then((made) => call(made, args)) : call(instance, args)
  }
  // Two apps of one process that have the same class do the same with an event.
  return madeOf(handler, Reflect.get(prototype, key))
}

const derived = (source: string, prototype: object, key: string | symbol, method: string): string => {
  const problem =
    source === "service"
      ? `the bus has no \`source\`, so other services may have the same name. Give one in EventsModule.forRoot({ source, … })`
      : typeof key === "symbol"
        ? "the method is a symbol"
        : nameFault(nameFor(source, prototype, key))
  if (problem !== undefined || typeof key === "symbol")
    throw new EventsModuleError({ reason: new NoSubscriberName({ handler: method, problem: problem ?? "" }) })
  return nameFor(source, prototype, key)
}

const nameFor = (source: string, prototype: object, key: string): string =>
  `${source}.${dashed(prototype.constructor.name)}.${dashed(key)}`

/** `onAccountClosed` is `on-account-closed`, and `HTTPMails2` is `http-mails2`. */
const dashed = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1-$2")
    .toLowerCase()

const unknownBus = (
  handler: string,
  bus: string | undefined,
  known: ReadonlyArray<string | undefined>
): EventsModuleError =>
  new EventsModuleError({
    reason: new UnknownBus({ handler, bus: shown(bus), known: known.map(shown) })
  })

const shown = (bus: string | undefined): string => bus ?? "(without a name)"
