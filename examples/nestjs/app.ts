import { Body, Controller, Get, Injectable, Module, Post } from "@nestjs/common"
import { EventBus, EventBusHealth, EventsModule, OnEvent, type Received } from "@eduflow/events/nest"
import { HealthCheck, HealthCheckService, TerminusModule } from "@nestjs/terminus"
import { Schedule } from "effect"
import { AccountClosed } from "../events.ts"

@Injectable()
export class Mailer {
  readonly sent: Array<string> = []

  async send(userId: string, text: string) {
    this.sent.push(`${text} ${userId}`)
    console.log(`${text} ${userId}`)
  }
}

@Injectable()
export class Goodbyes {
  constructor(private readonly mailer: Mailer) {}

  @OnEvent(AccountClosed, {
    subscriber: "accounts.goodbyes",
    idempotent: true,
    retry: Schedule.spaced("1 day").pipe(Schedule.upTo({ times: 3 }))
  })
  async onAccountClosed({ data }: Received<typeof AccountClosed>) {
    if (data.userId === "nobody") throw new Error("an account without a user")
    await this.mailer.send(data.userId, "goodbye")
  }
}

@Controller("accounts")
export class Accounts {
  constructor(private readonly bus: EventBus) {}

  @Post("close")
  async close(@Body() { userId }: { readonly userId: string }) {
    await this.bus.publish(AccountClosed, { userId }, { actor: { id: userId, role: "student" } })
    return { closed: userId }
  }
}

@Controller("health")
export class Health {
  constructor(
    private readonly health: HealthCheckService,
    private readonly events: EventBusHealth
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.events.check()])
  }
}

@Module({ imports: [TerminusModule], controllers: [Accounts, Health], providers: [Goodbyes, Mailer] })
export class AccountsModule {}

@Module({
  imports: [
    EventsModule.forRoot({ url: process.env["EVENTBUS_URL"] ?? "memory://", source: "accounts" }),
    AccountsModule
  ]
})
export class AppModule {}
