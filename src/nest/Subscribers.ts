/**
 * Runs the handlers of an app: they start when everything else has started, and drain before anything else ends, so that
 * a handler finds its providers as they were.
 */
import type { ModulesContainer } from "@nestjs/core"
import type { PromiseEventBus } from "../app/promise/PromiseEventBus.ts"
import type { PromiseSubscription } from "../app/promise/PromiseSubscribe.ts"
import type { Connection } from "./Connection.ts"
import { DuplicateBus, EventsModuleError } from "./EventsModuleError.ts"
import type { Found, Handlers } from "./Handlers.ts"
import { subscribing } from "./OnEvent.ts"

/** The buses of an app by their names, each as often as it is configured. */
export type Buses = () => ReadonlyArray<string | undefined>

export class Subscribers {
  private readonly name: string | undefined
  private readonly connection: Connection
  private readonly handlers: Handlers
  private readonly buses: Buses
  private open: ReadonlyArray<PromiseSubscription> = []

  constructor(name: string | undefined, connection: Connection, handlers: Handlers, buses: Buses) {
    this.name = name
    this.connection = connection
    this.handlers = handlers
    this.buses = buses
  }

  /** Nest calls it when all modules are initialised, before its server listens. */
  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.start(await this.connection.connected())
    } catch (error) {
      // Handlers that have started drain, and nothing keeps the process.
      await this.connection.close()
      throw error
    }
  }

  /** Nest calls it at the end of the app. Handlers finish; what they have not started returns to the queue. */
  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.open.map((subscription) => subscription.drain()))
  }

  private async start(bus: PromiseEventBus): Promise<void> {
    const known = this.buses()
    if (known.filter((name) => name === this.name).length > 1)
      throw new EventsModuleError({
        reason: new DuplicateBus({ bus: this.name === undefined ? "the bus without a name" : `"${this.name}"` })
      })
    const { source } = await bus.tree()
    const started = await Promise.allSettled(
      this.handlers.find(this.name, known, source).map((found) => subscribe(bus, found))
    )
    this.open = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))
    for (const one of started) if (one.status === "rejected") throw one.reason
    for (const subscription of this.open) this.connection.bus.add(subscription)
  }
}

const subscribe = (bus: PromiseEventBus, { handler, name, noted }: Found): Promise<PromiseSubscription> => {
  const options = subscribing(noted, handler)
  return name === undefined ? bus.subscribeEphemeral(options) : bus.subscribe(name, options)
}

/** The first of the hooks at the start, and the last at the end. */
export const outermost = Number.MAX_VALUE
/** The last of the hooks at the start, and the first at the end. The root module has 1, and what it imports more. */
export const innermost = -1

/**
 * Nest calls the hooks of modules in the order of this number, from the highest on, and at the end in the opposite order.
 * It derives the number from imports, where a module that all others use can only be first at the start.
 */
export const place = (modules: ModulesContainer, token: unknown, distance: number): void => {
  for (const module of modules.values())
    if ([...module.providers.keys()].some((key) => key === token)) module.distance = distance
}
