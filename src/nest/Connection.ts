/**
 * The life of a bus within an app: it connects before any other module is initialised, and ends after all others have
 * shut down.
 */
import type { PromiseEventBus } from "../app/promise/PromiseEventBus.ts"
import * as BusRuntime from "../bus/BusRuntime.ts"
import { AppBus } from "./AppBus.ts"
import { EventsModuleError, NotRunning } from "./EventsModuleError.ts"

/** What makes the bus of an app: the options of the module, or a test. */
export interface Connector {
  readonly connect: () => Promise<PromiseEventBus>
}

export class Connection {
  /** What the app injects. */
  readonly bus: AppBus
  private readonly connector: Connector
  private connecting: Promise<PromiseEventBus> | undefined
  private isClosed = false

  constructor(connector: Connector) {
    this.connector = connector
    this.bus = new AppBus(() => this.connected())
  }

  /** Nest calls it at the start of the app. */
  async onModuleInit(): Promise<void> {
    await this.connected()
  }

  /** Nest calls it at the end of the app, when its server accepts nothing any more. */
  async onApplicationShutdown(): Promise<void> {
    await this.close()
  }

  /** Connects at the first call: a provider may publish before the app has started. */
  connected(): Promise<PromiseEventBus> {
    if (this.connecting === undefined && this.isClosed)
      return Promise.reject(new EventsModuleError({ reason: new NotRunning({}) }))
    return (this.connecting ??= this.connect())
  }

  async close(): Promise<void> {
    this.isClosed = true
    // A bus that could not connect has reported why.
    const bus = await this.connecting?.catch(() => undefined)
    await bus?.close()
  }

  private async connect(): Promise<PromiseEventBus> {
    const bus = await this.connector.connect()
    const runtime = BusRuntime.of(bus)
    // An outbox takes the injected bus as it takes that of `createEventBus`.
    if (runtime !== undefined) BusRuntime.remember(this.bus, runtime)
    this.bus.attach(bus)
    return bus
  }
}
