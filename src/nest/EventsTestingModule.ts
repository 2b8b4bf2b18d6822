/**
 * The module for tests of an app: the real bus over an embedded broker, on a clock that only `settle` moves. Nothing of
 * the test kit is loaded before such a bus is made.
 */
import type { DynamicModule, InjectionToken } from "@nestjs/common"
import { Module } from "@nestjs/common"
import type { PromiseTestBus, PromiseTestBusOptions, TestControls } from "../testing/createTestBus.ts"
import type { Connection, Connector } from "./Connection.ts"
import { appModuleOf, connectionModuleOf, type EventsModulePlacement, tokens } from "./EventsModule.ts"
import { EventsModuleError, NoTestBus } from "./EventsModuleError.ts"

/** The options of `createTestBus`, and how the bus belongs to the app. */
export interface EventsTestingOptions extends PromiseTestBusOptions, EventsModulePlacement {}

/** A `TestingModuleBuilder` of `@nestjs/testing`, as far as it is used. */
export interface ReplacesProviders {
  overrideProvider(token: InjectionToken): { useValue(value: unknown): unknown }
}

/** A testing module or an app, as far as it is used. */
export interface HasProviders {
  get(token: InjectionToken, options: { readonly strict: false }): unknown
}

export class EventsTestingModule {
  /** In place of `EventsModule.forRoot`, for a test of some modules of an app. */
  static forRoot(options: EventsTestingOptions = {}): DynamicModule {
    const { global, name, ...own } = options
    const provider = { provide: tokens(name).connector, useValue: new TestConnector(own) }
    return appModuleOf(EventsTestingModule, { global, name }, connectionModuleOf(name, [], [provider]))
  }

  /**
   * For a test of a whole app: puts a test bus where its `EventsModule` would connect, and returns the same builder. The
   * options of the `EventsModule` are not made.
   *
   * @example
   * ```ts
   * import { EventsTestingModule, testEvents } from "@eduflow/events/nest"
   * import { Test } from "@nestjs/testing"
   *
   * declare class AppModule {}
   *
   * export const app = async () => {
   *   const builder = Test.createTestingModule({ imports: [AppModule] })
   *   const moduleRef = await EventsTestingModule.replaceIn(builder, { source: "crm" }).compile()
   *   await moduleRef.init()
   *   await testEvents(moduleRef).settle()
   *   await moduleRef.close()
   * }
   * ```
   */
  static replaceIn<Builder extends ReplacesProviders>(builder: Builder, options: EventsTestingOptions = {}): Builder {
    const { global: _, name, ...own } = options
    builder.overrideProvider(tokens(name).options).useValue(undefined)
    builder.overrideProvider(tokens(name).connector).useValue(new TestConnector(own))
    return builder
  }
}

Module({})(EventsTestingModule)

/**
 * What a test does with the bus of its app, after `init`: `settle`, `published`, `deliver` and `faults`. `name` is that of
 * a bus with a name.
 */
export const testEvents = (app: HasProviders, name?: string): TestControls => {
  // The token belongs to this class: see connectionModuleOf.
  const connection = app.get(tokens(name).connection, { strict: false }) as Connection
  const bus = async (): Promise<PromiseTestBus> => {
    const connected = await connection.connected()
    if (!isTestBus(connected)) throw new EventsModuleError({ reason: new NoTestBus({}) })
    return connected
  }
  return {
    settle: async () => (await bus()).settle(),
    published: async (event) => (await bus()).published(event),
    deliver: async (subscriber, event, data, options) => (await bus()).deliver(subscriber, event, data, options),
    faults: faultsOf(bus)
  }
}

const faultsOf = (bus: () => Promise<PromiseTestBus>): TestControls["faults"] => ({
  block: async () => (await bus()).faults.block(),
  unblock: async () => (await bus()).faults.unblock(),
  disconnect: async (open) => (await bus()).faults.disconnect(open),
  reconnect: async () => (await bus()).faults.reconnect(),
  cancelConsumers: async (subscriber) => (await bus()).faults.cancelConsumers(subscriber),
  deleteQueue: async (subscriber) => (await bus()).faults.deleteQueue(subscriber),
  failStores: async () => (await bus()).faults.failStores(),
  restoreStores: async () => (await bus()).faults.restoreStores(),
  calm: async () => (await bus()).faults.calm(),
  injected: async () => (await bus()).faults.injected()
})

const isTestBus = (bus: object): bus is PromiseTestBus => "settle" in bus

class TestConnector implements Connector {
  private readonly options: PromiseTestBusOptions

  constructor(options: PromiseTestBusOptions) {
    this.options = options
  }

  async connect(): Promise<PromiseTestBus> {
    const { createTestBus } = await import("../testing/createTestBus.ts")
    return createTestBus(this.options)
  }
}
