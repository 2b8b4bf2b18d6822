/**
 * The module: a bus for the app and the subscribers of its `@OnEvent` methods. Importing this door loads Nest's own
 * packages and the door of the library; the bus and its clients are loaded when the app starts.
 */
import { type DynamicModule, type FactoryProvider, Module, type ModuleMetadata, type Provider } from "@nestjs/common"
import { ModuleRef, ModulesContainer } from "@nestjs/core"
import { createEventBus } from "../app/createEventBus.ts"
import type { PromiseExtras, PromiseBusOptions } from "../app/promise/PromiseEventBus.ts"
import type { AppBus } from "./AppBus.ts"
import { Connection, type Connector } from "./Connection.ts"
import { EventBus, eventBusToken } from "./EventBus.ts"
import { EventBusHealth } from "./EventBusHealth.ts"
import { Handlers } from "./Handlers.ts"
import { withNestLog } from "./NestLog.ts"
import { innermost, outermost, place, Subscribers } from "./Subscribers.ts"

/** How the bus belongs to the app. */
export interface EventsModulePlacement {
  /** For a second bus of the app: `@InjectEventBus(name)` injects it, `@OnEvent(…, { bus: name })` handles its events. */
  readonly name?: string
  /** Whether every module can inject the bus. Default true. */
  readonly global?: boolean
}

/** The options of `createEventBus`, and how the bus belongs to the app. */
export interface EventsModuleOptions extends PromiseBusOptions, EventsModulePlacement {}

/** The same where the settings of the bus are those of the environment. */
export interface EventsModuleOfEnvironment extends PromiseExtras, EventsModulePlacement {}

type Given = PromiseBusOptions | PromiseExtras | undefined

/** Options that a factory makes of what it injects. */
export interface EventsModuleAsyncOptions extends EventsModulePlacement {
  /** Modules whose exports the factory injects. */
  readonly imports?: NonNullable<ModuleMetadata["imports"]>
  /** The tokens of its parameters. */
  readonly inject?: NonNullable<FactoryProvider["inject"]>
  /** Undefined is the environment, as of `createEventBus()`. */
  // Nest's own type of a factory: what is injected has no types here.
  readonly useFactory: (...injected: Parameters<FactoryProvider["useFactory"]>) => Given | Promise<Given>
}

/**
 * Gives the app a bus, and runs its `@OnEvent` methods as subscribers. Import it once, in the root module.
 *
 * @example
 * ```ts
 * import { EventsModule } from "@eduflow/events/nest"
 *
 * // The root module: @Module({ imports: [events, …] })
 * export const events = EventsModule.forRoot({ url: "amqp://localhost", source: "crm" })
 * ```
 */
export class EventsModule {
  /** With options, or with the settings of the environment (`EVENTBUS_URL` and so on). */
  static forRoot(options: EventsModuleOptions | EventsModuleOfEnvironment = {}): DynamicModule {
    const { global, name, ...own } = options
    return moduleOf({ global, name }, { provide: tokens(name).options, useValue: isLive(own) ? own : undefined })
  }

  /** With options that a factory makes, such as from a `ConfigService`. */
  static forRootAsync({ global, imports, inject, name, useFactory }: EventsModuleAsyncOptions): DynamicModule {
    const provider = { provide: tokens(name).options, useFactory, inject: inject ?? [] }
    return moduleOf({ global, name }, provider, imports)
  }
}

/** Has the connection, which is the first of the app to start and the last to end. */
class EventsConnectionModule {}

Module({})(EventsModule)
Module({})(EventsConnectionModule)

// Nothing at all is the environment. What lacks an address is for the bus to refuse.
const isLive = (own: Partial<PromiseBusOptions>): boolean => Object.keys(own).length > 0

/** The tokens of one bus. */
export const tokens = (name: string | undefined) => {
  const of = (part: string): string => `@eduflow/events/nest/${part}${name === undefined ? "" : `:${name}`}`
  return {
    options: of("options"),
    connector: of("connector"),
    connection: of("connection"),
    subscribers: of("subscribers")
  }
}

interface Placed {
  readonly name: string | undefined
  readonly global: boolean | undefined
}

/** `options` provides those of `createEventBus`. */
const moduleOf = (
  { global = true, name }: Placed,
  options: Provider,
  imports: EventsModuleAsyncOptions["imports"] = []
): DynamicModule => {
  const connectionModule = connectionModuleOf(name, imports, [
    options,
    {
      provide: tokens(name).connector,
      useFactory: (given: Given): Connector => ({ connect: () => createEventBus(withNestLog(given, name)) }),
      inject: [tokens(name).options]
    }
  ])
  return appModuleOf(EventsModule, { name, global }, connectionModule)
}

/** A module around a connector, which `providers` have. */
export const connectionModuleOf = (
  name: string | undefined,
  imports: NonNullable<ModuleMetadata["imports"]>,
  providers: ReadonlyArray<Provider>
): DynamicModule => {
  const { connection, connector } = tokens(name)
  return {
    module: EventsConnectionModule,
    imports,
    providers: [
      ...providers,
      {
        provide: connection,
        useFactory: (made: Connector, modules: ModulesContainer) => {
          place(modules, connection, outermost)
          return new Connection(made)
        },
        inject: [connector, ModulesContainer]
      },
      { provide: eventBusToken(name), useFactory: ({ bus }: Connection): AppBus => bus, inject: [connection] },
      ...(name === undefined
        ? [{ provide: EventBusHealth, useFactory: (bus: EventBus) => new EventBusHealth(bus), inject: [EventBus] }]
        : [])
    ],
    exports: [connection, eventBusToken(name), ...(name === undefined ? [EventBusHealth] : [])]
  }
}

/** The module that an app imports: `module` is its class. */
export const appModuleOf = (
  module: DynamicModule["module"],
  { global, name }: Placed,
  connectionModule: DynamicModule
): DynamicModule => {
  const { connection, subscribers } = tokens(name)
  return {
    module,
    global: global ?? true,
    imports: [connectionModule],
    providers: [
      {
        provide: subscribers,
        useFactory: (connected: Connection, modules: ModulesContainer, moduleRef: ModuleRef) => {
          place(modules, subscribers, innermost)
          return new Subscribers(name, connected, new Handlers(modules, moduleRef), () => busesIn(modules))
        },
        inject: [connection, ModulesContainer, ModuleRef]
      }
    ],
    exports: [connectionModule]
  }
}

/** The buses that an app has, by their names. */
const busesIn = (modules: ModulesContainer): ReadonlyArray<string | undefined> => {
  const subscribers = tokens(undefined).subscribers
  return [...modules.values()].flatMap(({ providers }) =>
    [...providers.keys()].flatMap((key) =>
      key === subscribers
        ? [undefined]
        : typeof key === "string" && key.startsWith(`${subscribers}:`)
          ? [key.slice(subscribers.length + 1)]
          : []
    )
  )
}
