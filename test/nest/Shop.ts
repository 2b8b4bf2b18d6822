/** The app of these tests: a shop whose controller publishes orders, which other modules handle. */
import { Body, Controller, Get, Inject, Injectable, Module, type OnModuleDestroy, Param, Post } from "@nestjs/common"
import { Schedule, Schema } from "effect"
import { Event, Reject } from "../../src/index.ts"
import { type DeliveryInfo, EventBus, OnEvent, type Received } from "../../src/nest/index.ts"

export const Placed = Event.make("nest.order.placed", {
  version: 1,
  data: Schema.Struct({ orderId: Schema.String, cents: Schema.Int }),
  key: ({ orderId }) => orderId
})
export const Billed = Event.make("nest.order.billed", { version: 1, data: Schema.Struct({ orderId: Schema.String }) })

/** What handlers depend on: it is of no use once its module has ended. */
@Injectable()
export class Ledger implements OnModuleDestroy {
  readonly lines: Array<string> = []
  isOpen = true

  write(line: string): void {
    if (!this.isOpen) throw new Error("the ledger is closed")
    this.lines.push(line)
  }

  onModuleDestroy(): void {
    this.isOpen = false
  }
}

@Module({ providers: [Ledger], exports: [Ledger] })
export class LedgerModule {}

@Controller("orders")
export class Orders {
  constructor(private readonly bus: EventBus) {}

  @Post()
  async place(@Body() order: { readonly orderId: string; readonly cents: number }) {
    const { id, routed } = await this.bus.publish(Placed, order)
    return { id, routed }
  }

  @Get("letters/:subscriber")
  letters(@Param("subscriber") subscriber: string) {
    return this.bus.deadLetters.count(subscriber)
  }
}

/** Holds handlers up, for tests of what happens meanwhile. */
export class Gate {
  private readonly opened = Promise.withResolvers<void>()
  readonly entered = Promise.withResolvers<void>()

  open(): void {
    this.opened.resolve()
  }

  pass(): Promise<void> {
    this.entered.resolve()
    return this.opened.promise
  }
}

@Injectable()
export class Billing {
  readonly gates = new Map<string, Gate>()

  constructor(
    private readonly ledger: Ledger,
    private readonly bus: EventBus
  ) {}

  @OnEvent(Placed, { subscriber: "nest.billing", idempotent: true })
  async onPlaced(event: Received<typeof Placed>) {
    const { cents, orderId } = event.data
    await this.gates.get(orderId)?.pass()
    this.ledger.write(`billed ${orderId}: ${cents}`)
    await this.bus.publish(Billed, { orderId })
  }
}

@Injectable()
export class Fraud {
  readonly attempts: Array<number> = []

  @OnEvent(Placed, {
    subscriber: "nest.fraud",
    retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 1 })),
    concurrency: 4
  })
  judge({ data }: Received<typeof Placed>, { attempt }: DeliveryInfo) {
    if (data.cents > 10_000) throw new Reject({ reason: "too much" })
    if (data.cents > 1_000) {
      this.attempts.push(attempt)
      throw new Error("the register is away")
    }
  }
}

@Injectable()
export class Mails {
  readonly sent: Array<string> = []

  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  @OnEvent([Placed, Billed], { batch: { size: 10, maxWait: "50 millis" }, subscriber: "nest.mails" })
  send(events: ReadonlyArray<Received<typeof Placed | typeof Billed>>) {
    for (const event of events) {
      if (!this.ledger.isOpen) throw new Error("the ledger is closed")
      this.sent.push(
        event.type === "nest.order.placed" ? `thanks for ${event.data.cents}` : `bill ${event.data.orderId}`
      )
    }
  }

  @OnEvent(Billed, { ephemeral: true })
  note({ data }: Received<typeof Billed>) {
    this.sent.push(`seen ${data.orderId}`)
  }
}

@Module({ imports: [LedgerModule], controllers: [Orders], providers: [Billing, Fraud] })
export class OrdersModule {}

@Module({ imports: [LedgerModule], providers: [Mails], exports: [Mails] })
export class MailsModule {}
