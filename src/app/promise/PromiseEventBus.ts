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
import { EventBus } from "../../bus/EventBus.ts"
import { EventBusLive, layerAmqp, type Services } from "../Live.ts"
import type { LiveOptions } from "../LiveOptions.ts"
import * as CallerStack from "./CallerStack.ts"
import * as PromiseAround from "./PromiseAround.ts"
import * as PromiseDeadLetters from "./PromiseDeadLetters.ts"
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

/** Hooks of a bus whose other settings are those of the environment. */
export interface AroundOptions {
  /** Hooks around handling and publishing. Default none. */
  readonly around?: ReadonlyArray<PromiseAround.PromiseAround>
}

export interface PromiseBusOptions extends LiveOptions, AroundOptions {}

/** Connects, without an address as the environment of this moment says. Errors have the stack of `site`. */
export const make = async (
  options: PromiseBusOptions | AroundOptions | undefined,
  site: CallerStack.CallSite
): Promise<PromiseEventBus> => {
  const { around, ...live }: Partial<PromiseBusOptions> = Object(options)
  const isOfEnvironment = options === undefined || (around !== undefined && Object.keys(live).length === 0)
  const hooks = PromiseAround.make(around)
  const runtime = ManagedRuntime.make(
    hooks.around(
      isOfEnvironment
        ? Layer.provide(EventBusLive, ConfigProvider.layer(ConfigProvider.fromEnv()))
        : // Callers without types may pass anything: the layer refuses it.
          layerAmqp((around === undefined ? options : live) as LiveOptions)
    )
  )
  const services = await runtime.context().catch(async (error: unknown) => {
    throw CallerStack.atCallSite(await asBrokerError(error), site)
  })
  return over(services, () => runtime.dispose(), hooks)
}

/** The bus over services that run. `dispose` ends them. */
export const over = (
  services: Context.Context<Services>,
  dispose: () => Promise<void>,
  hooks?: PromiseAround.PromiseHooks
): PromiseEventBus => {
  const promises = PromiseRun.make(services)
  hooks?.runBy(promises)
  const { closeAll, ...subscribing } = PromiseSubscribe.make(promises)
  const close = async (): Promise<void> => {
    await promises.run(promises.end)
    await closeAll()
    await dispose()
  }
  const bus: PromiseEventBus = {
    ...PromisePublish.make(promises),
    ...PromiseRequest.make(promises),
    ...subscribing,
    ...PromiseRead.make(promises),
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
