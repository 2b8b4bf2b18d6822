/**
 * A service on a real RabbitMQ and Redis, the operations of its namespace over HTTP, and a browser that shows their page.
 * `notification.grade-mailer` dead-letters what its mail server refuses; `directory.accounts` handles everything.
 */
import { Context, Effect, Exit, Layer, References, Schedule, Schema, Scope } from "effect"
import { join } from "node:path"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { Event, EventBus, operations, type OperationsOptions, sensitive } from "../../src/index.ts"
import { launch } from "../support/Browser.ts"
import { freshNamespace, rabbitUrl, redisUrl } from "../support/live.ts"

export const GradePosted = Event.make("academic.grade.posted", {
  version: 1,
  data: Schema.Struct({
    studentId: Schema.String,
    course: Schema.String,
    grade: Schema.Finite,
    mail: sensitive(Schema.String)
  }),
  key: ({ studentId }) => studentId,
  cache: { history: 20, perKey: true }
})

export const AccountOpened = Event.make("user.account.opened", {
  version: 1,
  data: Schema.Struct({ userId: Schema.String, name: Schema.String }),
  key: ({ userId }) => userId
})

export class MailServerDown extends Schema.TaggedError<MailServerDown>()("MailServerDown", { server: Schema.String }) {
  override get message(): string {
    return `${this.server} does not answer`
  }
}

export class MailboxFull extends Schema.TaggedError<MailboxFull>()("MailboxFull", { of: Schema.String }) {
  override get message(): string {
    return `the mailbox of ${this.of} is full`
  }
}

export const mailer = "notification.grade-mailer"
export const directory = "directory.accounts"
export const token = "t0ken-of-the-test"

/** Students by what happens to their grades, which changes when a test mends something. */
export const failing = new Map<string, "down" | "full" | "slow" | "echo">()

const subscribed = Effect.gen(function* () {
  const bus = yield* EventBus
  yield* bus.subscribe(mailer, {
    events: [GradePosted],
    ordering: "key",
    onBlocked: "park",
    retry: Schedule.recurs(0),
    handler: ({ data }) =>
      Effect.suspend((): Effect.Effect<void, MailServerDown | MailboxFull> => {
        const how = failing.get(data.studentId)
        if (how === "down") return Effect.fail(new MailServerDown({ server: "mail.example.edu" }))
        if (how === "full") return Effect.fail(new MailboxFull({ of: data.studentId }))
        // The server that does not answer has the name that the event gives it.
        if (how === "echo") return Effect.fail(new MailServerDown({ server: data.course }))
        return how === "slow" ? Effect.sleep("1 minute") : Effect.void
      })
  })
  yield* bus.subscribe(directory, { events: [AccountOpened], handler: () => Effect.void })
})

export interface Stage {
  readonly bus: EventBus["Service"]
  readonly address: string
  /** Another server of the same namespace. */
  readonly serve: (options: Partial<OperationsOptions>) => Promise<string>
  /** A page of a new visitor; logged in unless `isStranger`. */
  readonly open: (view: string, options?: OpenOptions) => Promise<Page>
  /** What the browser complained about in all pages. */
  readonly complaints: Array<string>
  readonly stop: () => Promise<void>
}

export interface OpenOptions extends Pick<BrowserContextOptions, "viewport" | "colorScheme"> {
  readonly isStranger?: boolean
  readonly address?: string
}

const serverOf = (namespace: string, options: Partial<OperationsOptions>) =>
  Effect.gen(function* () {
    let address = ""
    yield* Layer.build(
      operations(
        {
          port: 0,
          subscribers: [
            { name: mailer, events: [GradePosted], ordering: "key", onBlocked: "park" },
            { name: directory, events: [AccountOpened] }
          ],
          contracts: [GradePosted, AccountOpened],
          authorize: ({ headers }) =>
            Effect.succeed(headers["authorization"] === `Bearer ${token}` ? { name: "Zoë, on call" } : undefined),
          onListen: (url) => (address = url),
          ...options
        },
        { url: rabbitUrl(), redisUrl: redisUrl(), namespace }
      )
    )
    return address
  })

export const start = async (): Promise<Stage> => {
  const namespace = freshNamespace()
  const scope = await Effect.runPromise(Scope.make())
  const run = <A, E>(work: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
    Effect.runPromise(Effect.provideService(Scope.provide(work, scope), References.MinimumLogLevel, "None"))
  const context = await run(
    Layer.build(
      Layer.provideMerge(
        Layer.effectDiscard(subscribed),
        EventBus.layerAmqp({ url: rabbitUrl(), redisUrl: redisUrl(), namespace, source: "notification" })
      )
    )
  )
  const serve = (options: Partial<OperationsOptions>) => run(serverOf(namespace, options))
  const [address, browser] = await Promise.all([serve({}), launch()])
  await connected(address)
  const complaints: Array<string> = []
  return {
    bus: Context.get(context, EventBus),
    address,
    serve,
    complaints,
    open: (view, options) => open(browser, complaints, view, { address, ...options }),
    stop: async () => {
      await browser.close()
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
}

const mostTries = 20

/** A server connects when it is asked first, and says no after ten seconds: a machine that does much else needs more. */
const connected = async (address: string): Promise<void> => {
  for (let tries = 1; ; tries++) {
    const headers = { authorization: `Bearer ${token}` }
    const answers = await Promise.all(
      ["dead-letters", "ps"].map((path) => fetch(`${address}/api/${path}`, { headers }))
    )
    if (answers.every(({ ok }) => ok)) return
    if (tries === mostTries) throw new Error(`the server does not connect: ${await answers[0]?.text()}`)
  }
}

/** What Chromium says of each answer that is no success: the page shows it to people. */
const ofAnswers = /^Failed to load resource: the server responded with a status of [45]\d\d/

const open = async (
  browser: Browser,
  complaints: Array<string>,
  view: string,
  { address = "", isStranger = false, ...options }: OpenOptions
): Promise<Page> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options })
  context.setDefaultTimeout(60_000)
  const page = await context.newPage()
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !ofAnswers.test(message.text()))
      complaints.push(message.text())
  })
  page.on("pageerror", (error) => complaints.push(String(error)))
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog of a script: ${dialog.message()}`)
    void dialog.dismiss()
  })
  if (!isStranger) await context.addInitScript(`sessionStorage.setItem("eventbus.token", ${JSON.stringify(token)})`)
  await page.goto(`${address}/#/${view}`)
  return page
}

const images = join(import.meta.dirname, "../../docs/guides/images")

/** Whether the pictures of the guide are made anew: with `EVENTBUS_PICTURES=1`. */
export const isPictured = process.env["EVENTBUS_PICTURES"] === "1"

/** `height`: of its upper part alone. */
export const picture = async (page: Page, name: string, height?: number): Promise<void> => {
  const clip = height === undefined ? {} : { clip: { x: 0, y: 0, width: page.viewportSize()?.width ?? 0, height } }
  if (isPictured) await page.screenshot({ path: join(images, `${name}.png`), animations: "disabled", ...clip })
}
