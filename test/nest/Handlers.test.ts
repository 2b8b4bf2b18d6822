/** How handlers are found on providers, what their subscribers are called, and what a start refuses. */
import { Inject, Injectable, Module, type Provider, Scope } from "@nestjs/common"
import { REQUEST } from "@nestjs/core"
import { Schema } from "effect"
import { assert, describe, it } from "vitest"
import { Event } from "../../src/index.ts"
import {
  EventBus,
  EventsModule,
  EventsModuleError,
  type EventsModuleOptions,
  InjectEventBus,
  OnEvent,
  type Received
} from "../../src/nest/index.ts"
import { until } from "../app/promise/PromiseTools.ts"
import { appOf, failureOf } from "./NestTools.ts"

const Posted = Event.make("nest.post.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })
const Other = Event.make("nest.other.created", { version: 1, data: Schema.Struct({ text: Schema.String }) })

const embedded = { url: "memory://", source: "nest" }

/** The names of the subscribers that run in an app of these providers. */
const namesWith = async (providers: Array<Provider>, options: EventsModuleOptions = embedded) => {
  @Module({ providers })
  class Feature {}
  const app = await appOf([EventsModule.forRoot(options), Feature])
  try {
    await app.init()
    return (await app.get(EventBus).tree()).subscribers.map(({ name }) => name)
  } finally {
    await app.close()
  }
}

const reasonOf = async (start: Promise<unknown>) => {
  const error = await failureOf(start)
  if (!(error instanceof EventsModuleError)) throw error
  return error.reason
}

@Injectable()
class HTTPMails {
  @OnEvent(Posted)
  onPostCreated() {}
}

describe("the name of a subscriber", () => {
  it("is made of the source, the class and the method where none is given", async () => {
    @Injectable()
    class Audit {
      @OnEvent(Posted)
      logV2() {}
    }
    assert.sameMembers(await namesWith([HTTPMails, Audit]), ["nest.http-mails.on-post-created", "nest.audit.log-v2"])
  })

  it("is not made without a source: other services could have the same", async () => {
    const reason = await reasonOf(namesWith([HTTPMails], { url: "memory://" }))
    assert.strictEqual(reason._tag, "NoSubscriberName")
    for (const words of ["HTTPMails.onPostCreated", "source", "subscriber:"]) assert.include(reason.message, words)
  })

  it("is not made of a method that gives no name", async () => {
    const key = Symbol("key")
    @Injectable()
    class Odd {
      @OnEvent(Posted)
      [key]() {}
    }
    @Injectable()
    class Größe {
      @OnEvent(Posted)
      handle() {}
    }
    assert.include((await reasonOf(namesWith([Odd]))).message, "the method is a symbol")
    assert.include((await reasonOf(namesWith([Größe]))).message, "Größe.handle")
  })

  it("belongs to one handler: both places are named", async () => {
    @Injectable()
    class First {
      @OnEvent(Posted, { subscriber: "nest.same" })
      one() {}
    }
    @Injectable()
    class Second {
      @OnEvent(Other, { subscriber: "nest.same" })
      two() {}
    }
    const reason = await reasonOf(namesWith([First, Second]))
    assert.strictEqual(reason._tag, "DuplicateSubscriber")
    for (const words of ["nest.same", "First.one (Feature)", "Second.two (Feature)"])
      assert.include(reason.message, words)
  })

  it("is given twice when two modules provide one class", async () => {
    @Module({ providers: [HTTPMails] })
    class One {}
    @Module({ providers: [HTTPMails] })
    class Two {}
    const app = await appOf([EventsModule.forRoot(embedded), One, Two])
    const reason = await reasonOf(app.init())
    for (const words of ["(One)", "(Two)", "exports it"]) assert.include(reason.message, words)
    await app.close()
  })
})

describe("a handler", () => {
  it("is found once behind aliases, factories and values, and through inheritance", async () => {
    class Base {
      @OnEvent(Posted)
      onPosted() {}
    }
    @Injectable()
    class Derived extends Base {
      override onPosted() {}
      @OnEvent(Other)
      onOther() {}
    }
    class Made {
      @OnEvent([Posted, Other], { subscriber: "nest.made" })
      handle() {}
    }
    const found = await namesWith([
      Derived,
      { provide: "alias", useExisting: Derived },
      { provide: Made, useFactory: () => new Made() }
    ])
    assert.sameMembers(found, ["nest.derived.on-posted", "nest.derived.on-other", "nest.made"])
  })

  it("of a provider of a request is made for each event, which is its REQUEST", async () => {
    const made: Array<PerEvent> = []
    const seen: Array<unknown> = []
    @Injectable({ scope: Scope.REQUEST })
    class PerEvent {
      constructor(@Inject(REQUEST) readonly request: Received<typeof Posted>) {
        made.push(this)
      }
      @OnEvent(Posted, { subscriber: "nest.per-event" })
      async handle(event: Received<typeof Posted>) {
        seen.push(this.request === event && made.includes(this) ? event.data.text : "another")
      }
    }
    const app = await appOf([EventsModule.forRoot(embedded), moduleOf([PerEvent])])
    await app.init()
    for (const text of ["a", "b"]) await app.get(EventBus).publish(Posted, { text })
    await until(() => seen.length === 2)
    assert.sameMembers(seen, ["a", "b"])
    assert.strictEqual(new Set(made).size, 2)
    await app.close()
  })

  it("stands on a method, and on a contract that exists", () => {
    const decorate = (target: object, key: string, value: unknown, contract: typeof Posted) =>
      OnEvent(contract)(target, key, { value } as TypedPropertyDescriptor<() => void>)
    class Late {}
    const errorOf = (run: () => void): EventsModuleError => {
      try {
        run()
      } catch (error) {
        if (error instanceof EventsModuleError) return error
        throw error
      }
      return assert.fail("it did not throw")
    }
    assert.strictEqual(errorOf(() => decorate(Late, "handle", () => {}, Posted)).reason._tag, "NotAMethod")
    assert.strictEqual(errorOf(() => decorate(Late.prototype, "handle", 1, Posted)).reason._tag, "NotAMethod")
    // What an import in a circle is, when the class is defined.
    const missing = undefined as unknown as typeof Posted
    const { reason } = errorOf(() => decorate(Late.prototype, "handle", () => {}, missing))
    assert.strictEqual(reason._tag, "NoContract")
    assert.include(reason.message, "Late.handle")
  })
})

describe("two buses of one app", () => {
  it("have names, and handlers of their own", async () => {
    const seen: Array<string> = []
    @Injectable()
    class Both {
      constructor(
        readonly bus: EventBus,
        @InjectEventBus("audit") readonly audit: EventBus
      ) {}
      @OnEvent(Posted, { subscriber: "nest.feed" })
      async copy({ data }: Received<typeof Posted>) {
        seen.push(`feed ${data.text}`)
        await this.audit.publish(Posted, { text: `${data.text}, again` })
      }
      @OnEvent(Posted, { subscriber: "nest.feed", bus: "audit" })
      log({ data }: Received<typeof Posted>) {
        seen.push(`audit ${data.text}`)
      }
    }
    const app = await appOf([
      EventsModule.forRoot(embedded),
      EventsModule.forRoot({ ...embedded, name: "audit" }),
      moduleOf([Both])
    ])
    await app.init()
    await app.get(EventBus).publish(Posted, { text: "a" })
    await until(() => seen.length === 2)
    assert.deepStrictEqual(seen, ["feed a", "audit a, again"])
    await app.close()
  })

  it("without a name are one too many", async () => {
    const app = await appOf([EventsModule.forRoot(embedded), EventsModule.forRoot(embedded)])
    const reason = await reasonOf(app.init())
    assert.strictEqual(reason._tag, "DuplicateBus")
    assert.include(reason.message, "the bus without a name")
    await app.close()
  })

  it("are those that handlers name", async () => {
    @Injectable()
    class Lost {
      @OnEvent(Posted, { subscriber: "nest.lost", bus: "audti" })
      handle() {}
    }
    const reason = await reasonOf(namesWith([Lost]))
    assert.strictEqual(reason._tag, "UnknownBus")
    for (const words of ["Lost.handle", "audti", "(without a name)"]) assert.include(reason.message, words)
  })
})

const moduleOf = (providers: Array<Provider>) => {
  @Module({ providers })
  class Feature {}
  return Feature
}
