/**
 * The bus as Promises: puts the parts together and closes them.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Predicate from "effect/Predicate"
import * as BusRuntime from "../../bus/BusRuntime.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import { EventBus } from "../../bus/EventBus.ts"
import { EventBusLive, layerAmqp, type Services } from "../Live.ts"
import type { LiveOptions } from "../LiveOptions.ts"
import { environment } from "../operations.ts"
import * as CallerStack from "./CallerStack.ts"
import * as PromiseAround from "./PromiseAround.ts"
import * as OptionInvalid from "../../event/options/OptionInvalid.ts"
import type * as Kinds from "../../event/options/OptionKinds.ts"
import * as PromiseLogger from "./PromiseLogger.ts"
import * as PromiseDeadLetters from "./PromiseDeadLetters.ts"
import * as PromiseHttp from "./PromiseHttp.ts"
import * as PromiseMetrics from "./PromiseMetrics.ts"
import * as PromiseOperations from "./PromiseOperations.ts"
import * as PromisePublish from "./PromisePublish.ts"
import * as PromiseRead from "./PromiseRead.ts"
import * as PromiseRequest from "./PromiseRequest.ts"
import * as PromiseRun from "./PromiseRun.ts"
import * as PromiseSubscribe from "./PromiseSubscribe.ts"

/**
 * The event bus as Promises. Failures reject with the errors that an Effect would fail with: `PublishError`,
 * `SubscribeError` and so on.
 */
export interface PromiseEventBus
  extends
    PromisePublish.PromisePublish,
    PromiseRequest.PromiseRequest,
    PromiseSubscribe.PromiseSubscribe,
    PromiseRead.PromiseRead,
    PromiseMetrics.PromiseMetrics,
    PromiseHttp.PromiseHttp,
    PromiseOperations.PromiseOperations,
    AsyncDisposable {
  readonly deadLetters: PromiseDeadLetters.PromiseDeadLetters
  /**
   * Stops publishing from outside of handlers and drains every subscription. Resolves to true when nothing was cut
   * off. The bus stays connected: `close` follows.
   */
  readonly drain: () => Promise<boolean>
  /**
   * Calls the function, and resolves to what it returns. What it publishes, also behind an `await`, has this actor, tenant and
   * baggage unless the options of the publish say otherwise. What is left out stays as it is, and undefined stops it.
   */
  readonly within: <A>(flow: PromiseRun.Flow, call: () => A | PromiseLike<A>) => Promise<A>
  /** Ends iterations, drains and disconnects. */
  readonly close: () => Promise<void>
}

/** What a bus of Promises has besides its settings, which may be those of the environment. */
export interface PromiseExtras {
  /** Hooks around handling and publishing. Default none. */
  readonly around?: ReadonlyArray<PromiseAround.PromiseAround>
  /**
   * Where the bus writes its log, and from which level on: `"json"`, `"pretty"`, `"none"`, a function that is called with
   * each entry, or `{ level, to, redact }`. Default: lines of Effect's own logger, from level info on.
   */
  readonly logger?: PromiseLogger.PromiseLogger
}

export interface PromiseBusOptions extends LiveOptions, PromiseExtras {}

/** Connects, without an address as the environment of this moment says. Errors have the stack of `site`. */
export const make = async (
  options: PromiseBusOptions | PromiseExtras | undefined,
  site: CallerStack.CallSite
): Promise<PromiseEventBus> => {
  const { around, logger, ...live }: Partial<PromiseBusOptions> = Object(options)
  const hasExtras = around !== undefined || logger !== undefined
  const isOfEnvironment = options === undefined || (hasExtras && Object.keys(live).length === 0)
  const extras = makeExtras("createEventBus", { around, logger })
  // Callers without types may pass anything: the layer refuses it.
  const settings = (hasExtras ? live : options) as LiveOptions
  const provider = ConfigProvider.fromEnv()
  const runtime = ManagedRuntime.make(
    extras.around(isOfEnvironment ? Layer.provide(EventBusLive, ConfigProvider.layer(provider)) : layerAmqp(settings))
  )
  const services = await runtime.context().catch(async (error: unknown) => {
    throw CallerStack.atCallSite(await asBrokerError(error), site)
  })
  return over(services, () => runtime.dispose(), {
    hooks: extras,
    settings: isOfEnvironment
      ? Effect.provideService(environment, ConfigProvider.ConfigProvider, provider)
      : Effect.succeed(settings)
  })
}

/** Throws an `OptionInvalid` of this call that names what is wrong. */
export const makeExtras = (
  call: string,
  { around = [], logger }: { readonly [Name in keyof PromiseExtras]: PromiseExtras[Name] | undefined }
): PromiseAround.PromiseHooks => {
  OptionInvalid.check(call, { around, logger }, extraKinds)
  const hooks = PromiseAround.make(around)
  const logging = PromiseLogger.around(logger)
  return { ...hooks, around: (bus) => logging(hooks.around(bus)) }
}

export const extraKinds: Kinds.Kinds = {
  around: { expected: "a list of hooks", holds: Array.isArray },
  logger: PromiseLogger.kind
} satisfies Kinds.KindsOf<PromiseExtras>

/** What a bus was made with. */
interface Made {
  readonly hooks: PromiseAround.PromiseHooks
  readonly settings: Effect.Effect<LiveOptions, BrokerError>
}

/** The bus over services that run. `dispose` ends them. */
export const over = (
  services: Context.Context<Services>,
  dispose: () => Promise<void>,
  { hooks, settings }: Made
): PromiseEventBus => {
  const promises = PromiseRun.make(services)
  hooks.runBy(promises)
  const { closeAll, ...subscribing } = PromiseSubscribe.make(promises)
  const { closeOperations, ...operating } = PromiseOperations.make(promises, settings)
  let isClosed = false
  const close = async (): Promise<void> => {
    isClosed = true
    await promises.run(promises.end)
    await closeOperations()
    await closeAll()
    await dispose()
  }
  const bus: PromiseEventBus = {
    ...PromisePublish.make(promises),
    ...PromiseRequest.make(promises),
    ...subscribing,
    ...PromiseRead.make(promises),
    ...PromiseMetrics.make(promises),
    ...PromiseHttp.make(promises, () => isClosed),
    ...operating,
    deadLetters: PromiseDeadLetters.make(promises),
    drain: () => promises.run(Effect.flatMap(EventBus, (bus) => bus.drain)),
    within: promises.within,
    close,
    [Symbol.asyncDispose]: close
  }
  return BusRuntime.remember(bus, promises)
}

/** Effect's ConfigError is no Error, so Node would print it without its message. */
const asBrokerError = async (error: unknown): Promise<unknown> => {
  if (!Predicate.isTagged(error, "ConfigError")) return error
  const { unreadable } = await import("../Config.ts")
  return unreadable(error, process.env)
}
