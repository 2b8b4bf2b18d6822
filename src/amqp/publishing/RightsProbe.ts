/**
 * Asks RabbitMQ for the right to publish somewhere new, before the first message goes there. A publish that is denied
 * costs its channel, and everything in flight there with it. So the question is a publish of nothing within a
 * transaction that is rolled back, on a channel of its own: a confirm channel cannot have transactions. What is denied
 * closes that channel alone.
 *
 * Questions are asked together. RabbitMQ checks them in order: those before the one that is denied are allowed, and
 * those behind it are asked again. A right is asked for once for each connection, and again after a denial.
 *
 * No publish depends on an answer: without one the message goes out, and is denied as it would be without the question.
 */
import type { Channel } from "amqplib"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import type { Link } from "../connection/Link.ts"
import * as ScopedChannel from "../connection/ScopedChannel.ts"
import * as Refusals from "./Refusals.ts"
import type { Right, Route } from "./Route.ts"

/** Asked together at most: those behind a denial are asked in vain. */
const together = 64
/** How long the channel stays open without a question. */
const idle = "1 second"

export class RightsProbe {
  private readonly refusals: Refusals.Refusals
  private readonly onAnswers: () => void
  /** Changes when the rights of the user may have changed; never 0. */
  private epoch = 1
  private questions = new Map<Right, Route>()
  private readonly hasQuestions = Latch.makeUnsafe(false)

  /** `onAnswers` is called when messages that waited may be sent, or are refused. */
  constructor(refusals: Refusals.Refusals, onAnswers: () => void) {
    this.refusals = refusals
    this.onAnswers = onAnswers
  }

  isAllowed({ right }: Route): boolean {
    return right.allowedIn === this.epoch
  }

  /** Asks whether a message may go there, unless that is being asked. */
  ask(route: Route): void {
    if (this.questions.has(route.right)) return
    this.questions.set(route.right, route)
    this.hasQuestions.openUnsafe()
  }

  /** Rights may have changed: all are asked for again. */
  renew(): void {
    this.epoch++
  }

  /** A new connection: nothing waits for an answer of the one before. */
  restart(): void {
    this.renew()
    this.questions.clear()
    this.hasQuestions.closeUnsafe()
  }

  /** Asks on this connection until it is interrupted. */
  readonly serve = (link: Link): Effect.Effect<never> =>
    this.hasQuestions.await.pipe(
      Effect.andThen(Effect.exit(Effect.scoped(this.askOn(link)))),
      Effect.tap((exit) => (Exit.isFailure(exit) ? Effect.sync(() => this.allowAll()) : Effect.void)),
      Effect.forever
    )

  /** Asks on a channel until it is closed, idle, or older than what RabbitMQ may remember of rights for a channel. */
  private readonly askOn = Effect.fnUntraced(function* (this: RightsProbe, link: Link) {
    const { epoch } = this
    const channel = yield* ScopedChannel.open(link)
    let isOpen = true
    let refusal: Refusals.Refusal | undefined
    channel.on("error", (error: unknown) => void (refusal = Refusals.read(error)))
    channel.once("close", () => void (isOpen = false))
    AmqplibInternals.pipelineCalls(channel)
    const begun = AmqplibInternals.beginTransaction(channel)
    // Read together with the answer to the first questions.
    begun.catch(() => {})
    while (isOpen && epoch === this.epoch) {
      const routes = this.questions.values().take(together).toArray()
      if (routes.length > 0) {
        const version = link.secret.version()
        const exit = yield* Effect.exit(question(link, channel, begun, routes))
        if (Exit.isSuccess(exit)) this.answer(routes, epoch)
        // With fresh credentials all are asked again.
        else if (refusal?._tag === "Denied" && (yield* link.secret.renew(version))) return this.renew()
        else this.denied(routes, epoch, refusal, link)
        this.onAnswers()
        if (Exit.isFailure(exit)) return
      } else {
        // In the turn that found none: a question from now on opens it.
        this.hasQuestions.closeUnsafe()
        if (Option.isNone(yield* Effect.timeoutOption(this.hasQuestions.await, idle))) return
      }
    }
  })

  private answer(routes: ReadonlyArray<Route>, epoch: number): void {
    for (const { right } of routes) {
      right.allowedIn = epoch
      this.questions.delete(right)
    }
  }

  /** The channel was closed while these were asked for. */
  private denied(
    routes: ReadonlyArray<Route>,
    epoch: number,
    refusal: Refusals.Refusal | undefined,
    { secret, username }: Link
  ): void {
    const missing = routes.filter(({ exchange, right }) => isMissing(refusal, exchange, right))
    if (refusal?._tag === "Missing" && missing.length > 0) {
      // The publish itself would close a channel that others use.
      for (const { right } of missing) this.questions.delete(right)
      return this.refusals.learn(refusal, username)
    }
    // Not about rights: the publish itself meets the same, and is answered with it.
    if (refusal?._tag !== "Denied") return this.answer(routes, epoch)
    const isMeant = ({ exchange, routingKey }: Route): boolean => Refusals.concerns(refusal, exchange, routingKey)
    const at = routes.findIndex(isMeant)
    const route = routes[at]
    if (route === undefined) return this.answer(routes, epoch)
    this.answer(routes.slice(0, at), epoch)
    const { exchange, right, routingKey } = route
    this.questions.delete(right)
    const topic = refusal.topic === undefined ? undefined : routingKey
    this.refusals.learn({ _tag: "Denied", exchange, topic }, username, secret.claims())
  }

  private allowAll(): void {
    this.answer([...this.questions.values()], this.epoch)
    this.hasQuestions.closeUnsafe()
    this.onAnswers()
  }
}

const isMissing = (refusal: Refusals.Refusal | undefined, exchange: string, { isForeign }: Right): boolean =>
  isForeign && refusal?._tag === "Missing" && refusal.exchange === exchange

const nothing = Buffer.alloc(0)

/** Succeeds when all of these are allowed. Otherwise the channel is closed, or the broker does not answer. */
const question = (
  link: Link,
  channel: Channel,
  begun: Promise<unknown>,
  routes: ReadonlyArray<Route>
): Effect.Effect<unknown, BrokerError> =>
  link.call("asking for rights", "a channel", () => {
    for (const { exchange, routingKey } of routes) channel.publish(exchange, routingKey, nothing)
    return Promise.all([begun, AmqplibInternals.rollBack(channel)])
  })
