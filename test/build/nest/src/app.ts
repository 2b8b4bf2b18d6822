import { Body, Controller, Get, Injectable, Module, Post } from "@nestjs/common"
import { Event } from "@eduflow/events"
import { EventBus, EventBusHealth, EventsModule, OnEvent, type Received } from "@eduflow/events/nest"
import { HealthCheck, HealthCheckService, TerminusModule } from "@nestjs/terminus"
import { Schema } from "effect"

export const Posted = Event.make("nest.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })

@Injectable()
export class Store {
  readonly texts: Array<string> = []
  readonly isAsked = Promise.withResolvers<void>()
  isOpen = true

  onModuleDestroy() {
    this.isOpen = false
  }
}

@Injectable()
export class Feed {
  constructor(private readonly store: Store) {}

  @OnEvent(Posted, { subscriber: "nest.feed" })
  async onPosted(event: Received<typeof Posted>) {
    this.store.isAsked.resolve()
    // The app ends meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 100))
    if (this.store.isOpen) this.store.texts.push(event.data.text)
  }
}

@Controller()
export class Posts {
  constructor(
    private readonly bus: EventBus,
    private readonly health: HealthCheckService,
    private readonly events: EventBusHealth
  ) {}

  @Post()
  async post(@Body() body: { readonly text: string }) {
    const { routed } = await this.bus.publish(Posted, body)
    return { routed }
  }

  @Get("health")
  @HealthCheck()
  check() {
    return this.health.check([() => this.events.check()])
  }
}

@Module({
  imports: [EventsModule.forRoot({ url: "memory://", source: "nest" }), TerminusModule],
  providers: [Store, Feed],
  controllers: [Posts]
})
export class AppModule {}
