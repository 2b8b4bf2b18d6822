/** The parameters of an `@OnEvent` method are checked against the contract. `npm run types` compiles this. */
import { Injectable } from "@nestjs/common"
import { Schedule, Schema } from "effect"
import { assert, describe, expectTypeOf, it } from "vitest"
import { Event, EventGroup } from "../../src/index.ts"
import { type DeliveryInfo, EventBus, OnEvent, type Received } from "../../src/nest/index.ts"

const Moved = Event.make("types.moved", { version: 1, data: Schema.Struct({ n: Schema.Finite }) })
const Sold = Event.make("types.sold", { version: 1, data: Schema.Struct({ price: Schema.String }) })
const all = EventGroup.make(Moved, Sold)

@Injectable()
class Right {
  constructor(readonly bus: EventBus) {}

  @OnEvent(Moved)
  one(event: Received<typeof Moved>, delivery: DeliveryInfo) {
    expectTypeOf(event.data).toEqualTypeOf<{ readonly n: number }>()
    expectTypeOf(delivery.signal).toEqualTypeOf<AbortSignal>()
  }

  @OnEvent(Moved, { subscriber: "types.structural", retry: () => Schedule.spaced("1 second") })
  structural(event: { readonly data: { readonly n: number } }) {
    return event
  }

  @OnEvent([Moved, Sold], { ordering: "key", onBlocked: "park", concurrency: 4, retry: Schedule.spaced("1 second") })
  two(event: Received<typeof Moved | typeof Sold>) {
    if (event.type === "types.sold") expectTypeOf(event.data.price).toEqualTypeOf<string>()
  }

  @OnEvent(all.match("types.#"))
  matched(event: Received<typeof Moved | typeof Sold>) {
    void event
  }

  @OnEvent(Moved, { batch: { size: 10, maxWait: "1 second" } })
  batch(events: ReadonlyArray<Received<typeof Moved>>) {
    expectTypeOf(events[0]?.data).toEqualTypeOf<{ readonly n: number } | undefined>()
  }

  @OnEvent(Moved, { ephemeral: true, onGap: () => {} })
  async none() {
    await this.bus.publish(Sold, { price: "5" })
    // @ts-expect-error the price is a string
    await this.bus.publish(Sold, { price: 5 })
    // @ts-expect-error the module ends the bus
    await this.bus.close()
  }
}

class Wrong {
  // @ts-expect-error n is a number
  @OnEvent(Moved)
  data(event: { readonly data: { readonly n: string } }) {
    return event
  }

  // @ts-expect-error another event
  @OnEvent(Moved)
  other(event: Received<typeof Sold>) {
    return event
  }

  // @ts-expect-error one of two events
  @OnEvent([Moved, Sold])
  half(event: Received<typeof Sold>) {
    return event
  }

  // @ts-expect-error an event, not its data
  @OnEvent(Moved)
  naked(event: { readonly n: number }) {
    return event
  }

  // @ts-expect-error without `batch` it gets one event
  @OnEvent(Moved)
  many(event: ReadonlyArray<Received<typeof Moved>>) {
    return event
  }

  // @ts-expect-error with `batch` it gets many
  @OnEvent(Moved, { batch: { size: 2, maxWait: "1 second" } })
  single(event: Received<typeof Moved>) {
    return event
  }

  // @ts-expect-error the parameter of the delivery has no such field
  @OnEvent(Moved)
  delivery(event: Received<typeof Moved>, delivery: { readonly retries: number }) {
    return [event, delivery]
  }
}

// @ts-expect-error an option that no subscriber has
const unknownOption = () => OnEvent(Moved, { retries: 3 })
// @ts-expect-error an ephemeral subscriber has no name
const named = () => OnEvent(Moved, { ephemeral: true, subscriber: "types.named" })
// @ts-expect-error the method is the handler
const handler = () => OnEvent(Moved, { handler: () => {} })

describe("the types of the door", () => {
  it("are what is compiled here", () => {
    for (const value of [Right, Wrong, unknownOption, named, handler]) assert.isFunction(value)
  })
})
