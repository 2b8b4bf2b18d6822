/** Options that a factory makes, the order of start and end, and the health of the bus for terminus. */
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit
} from "@nestjs/common"
import { HealthCheck, HealthCheckService, type HealthIndicatorResult, TerminusModule } from "@nestjs/terminus"
import { Schema } from "effect"
import { assert, describe, it } from "vitest"
import { BrokerError, Event } from "../../src/index.ts"
import { createOutbox } from "../../src/outbox/index.ts"
import {
  EventBus,
  EventBusHealth,
  EventsModule,
  EventsTestingModule,
  OnEvent,
  testEvents
} from "../../src/nest/index.ts"
import { appOf, failureOf, withApp } from "./NestTools.ts"

const Posted = Event.make("nest.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })

@Injectable()
class Settings {
  readonly source = "configured"
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

describe("forRootAsync", () => {
  it("makes options of what its factory injects", () =>
    withApp(
      [
        EventsModule.forRootAsync({
          imports: [SettingsModule],
          inject: [Settings],
          useFactory: async ({ source }: Settings) => ({ url: "memory://", source })
        })
      ],
      async (app) => assert.strictEqual((await app.get(EventBus).tree()).source, "configured")
    ))

  it("rejects the start with the error of the bus, where an option cannot work", async () => {
    const app = await appOf([EventsModule.forRootAsync({ useFactory: () => ({ url: "http://localhost" }) })])
    const error = await failureOf(app.init())
    assert.instanceOf(error, BrokerError)
    assert.deepStrictEqual(await app.get(EventBusHealth).check(), {
      events: { status: "down", detail: (error as Error).message }
    })
    await app.close()
  })
})

describe("the bus of an app that is not global", () => {
  it("is injected where its module is imported, and nowhere else", async () => {
    @Injectable()
    class Reader {
      constructor(@Inject(EventBus) readonly bus: EventBus) {}
    }
    const events = EventsModule.forRoot({ url: "memory://", source: "nest", global: false })
    @Module({ imports: [events], providers: [Reader] })
    class Within {}
    @Module({ providers: [Reader] })
    class Outside {}
    await withApp([Within], async (app) => assert.isFalse((await app.get(Reader).bus.tree()).subscribers.length > 0))
    assert.include(String(await failureOf(appOf([events, Outside]))), "Reader")
  })
})

describe("the order", () => {
  it("the bus is there in every hook of every module, and handlers run between them", async () => {
    const calls: Array<string> = []
    const routed = async (bus: EventBus, call: string) =>
      void calls.push(`${call} ${(await bus.publish(Posted, { text: call })).routed}`)
    @Injectable()
    class Hooks
      implements
        OnModuleInit,
        OnApplicationBootstrap,
        OnModuleDestroy,
        BeforeApplicationShutdown,
        OnApplicationShutdown
    {
      constructor(private readonly bus: EventBus) {}
      onModuleInit = () => routed(this.bus, "init")
      onApplicationBootstrap = () => routed(this.bus, "bootstrap")
      onModuleDestroy = () => routed(this.bus, "destroy")
      beforeApplicationShutdown = () => routed(this.bus, "before shutdown")
      onApplicationShutdown = () => routed(this.bus, "shutdown")
    }
    @Injectable()
    class Feed {
      @OnEvent(Posted, { subscriber: "nest.feed" })
      handle() {}
    }
    // Nest orders hooks by how deep imports are.
    let deep = moduleOf({ providers: [Hooks] })
    for (let depth = 0; depth < 5; depth++) deep = moduleOf({ imports: [deep] })
    @Module({ imports: [EventsModule.forRoot({ url: "memory://", source: "nest" }), deep], providers: [Feed] })
    class Root {}
    const app = await appOf([Root])
    await app.init()
    await app.close()
    // An event reaches the queue of the subscriber as soon as that has started, and after its drain, too.
    assert.deepStrictEqual(calls, [
      "init false",
      "bootstrap false",
      "destroy true",
      "before shutdown true",
      "shutdown true"
    ])
  })

  it("an outbox takes the injected bus", () =>
    withApp([EventsModule.forRoot({ url: "memory://", source: "nest" })], async (app) => {
      const none = { dialect: "sqlite", execute: async () => [] } as const
      const outbox = await createOutbox({ source: "nest", ...none, relayTo: app.get(EventBus) })
      await outbox.close()
    }))
})

const moduleOf = (metadata: ModuleMetadata) => {
  @Module(metadata)
  class Feature {}
  return Feature
}

@Controller()
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly events: EventBusHealth
  ) {}

  @Get("health")
  @HealthCheck()
  check() {
    return this.health.check([() => this.events.check(), () => this.events.ready()])
  }
}

@Module({ imports: [TerminusModule.forRoot({ logger: false })], controllers: [HealthController] })
class HealthModule {}

describe("the health indicator", () => {
  it("is up, and down while the broker is away, as terminus reports it", () =>
    withApp([EventsTestingModule.forRoot(), HealthModule], async (app, ask) => {
      const up = await ask("/health")
      assert.strictEqual(up.status, 200)
      assert.deepInclude(up.answer, {
        status: "ok",
        info: {
          events: { status: "up", health: "up" },
          "events-ready": { status: "up", detail: "every dependency is up" }
        }
      })
      await testEvents(app).faults.disconnect()
      const down = await ask("/health")
      assert.strictEqual(down.status, 503)
      assert.match(
        JSON.stringify(down.answer),
        /"error":\{"events":\{"memory broker":"[^"]+","status":"down","health":"down"\}\}/
      )
      await testEvents(app).faults.reconnect()
    }))

  it("has the form that terminus takes", async () => {
    await withApp([EventsTestingModule.forRoot()], async (app) => {
      const result: HealthIndicatorResult = await app.get(EventBusHealth).check("bus")
      assert.deepStrictEqual(Object.keys(result), ["bus"])
    })
  })
})
