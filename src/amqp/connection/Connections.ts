/**
 * The connections of a broker: one to publish and one to consume, because a RabbitMQ that blocks publishers
 * freezes their whole connection, and one for everything around events. The last two are opened when they are needed.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { BrokerStatus } from "../../bus/port/Broker.ts"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { BrokerRefused, Closed } from "../../bus/port/BrokerReason.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import * as OutageLog from "../../bus/support/OutageLog.ts"
import type { Settings } from "../AmqpOptions.ts"
import { Addresses } from "./Addresses.ts"
import * as Connection from "./Connection.ts"
import type * as LineGuard from "./LineGuard.ts"
import * as Link from "./Link.ts"
import * as Tending from "./Tending.ts"

export interface Connections {
  /** The state of the publishing side. */
  readonly status: SubscriptionRef.SubscriptionRef<BrokerStatus>
  readonly publishingState: () => Connection.State
  /** Undefined while the consuming connection is not used. */
  readonly consumingState: () => Connection.State | undefined
  /** The live link to consume on; waits for one up to the call timeout. */
  readonly consumingLink: Effect.Effect<Link.Link, BrokerError>
  /** Begins to open the consuming connection, and does not wait for it. */
  readonly beginConsuming: Effect.Effect<void>
  /** Runs on the live link to consume on. */
  readonly consumingOn: <A, R>(
    use: (link: Link.Link) => Effect.Effect<A, BrokerError, R>
  ) => Effect.Effect<A, BrokerError, R>
  /** The live link to publish on; waits for one up to the call timeout, and fails while RabbitMQ blocks publishers. */
  readonly publishingLink: Effect.Effect<Link.Link, BrokerError>
  /** The connection for everything around events. */
  readonly tending: Tending.Tending
  /** Runs on the consuming link, and again on the next one if that is lost meanwhile: for what may be done twice. */
  readonly onLink: <A, R>(
    use: (link: Link.Link) => Effect.Effect<A, BrokerError, R>
  ) => Effect.Effect<A, BrokerError, R>
}

export const make = Effect.fnUntraced(function* (
  settings: Settings,
  preparePublishing: Connection.Prepare,
  /** Runs once, when the consuming connection is opened. */
  onConsuming: (tending: Tending.Tending, isPublishingUp: () => boolean) => Effect.Effect<void, never, Scope.Scope>,
  traffic: LineGuard.Traffic
): Effect.fn.Return<Connections, BrokerError, Scope.Scope> {
  // Closed beside each other: two connections that hang cost the time of one.
  const scope = yield* Scope.fork(yield* Effect.scope, "parallel")
  const outages = yield* OutageLog.make(
    "RabbitMQ",
    "publishes wait for their timeout and deliveries stop until it is back: see whether it runs and can be reached"
  )
  const addresses = new Addresses(yield* Monotonic.make)
  const publishing = yield* Connection.make(settings, "publish", preparePublishing, {
    outages,
    addresses,
    traffic
  }).pipe(Scope.provide(yield* Scope.fork(scope)))
  const publishingState = (): Connection.State => SubscriptionRef.getUnsafe(publishing.state)

  const { link, on } = yield* Tending.make(settings, addresses, publishing.link).pipe(
    Scope.provide(yield* Scope.fork(scope))
  )
  let isClosed = (): boolean => false
  const open = Effect.suspend(() => (isClosed() ? closed : Effect.void))
  const tending: Tending.Tending = {
    link: Effect.andThen(open, link),
    on: (use) => Effect.andThen(open, on(use))
  }

  let consuming: Connection.Connection | undefined
  const openConsuming = Effect.gen(function* () {
    const connection = yield* Connection.make(settings, "consume", () => Effect.void, {
      outages,
      addresses,
      traffic: undefined
    })
    consuming = connection
    yield* Effect.forkScoped(wakes(connection, publishing))
    yield* Effect.forkScoped(wakes(publishing, connection))
    yield* onConsuming(tending, () => publishingState()._tag === "Up")
    return connection
  })
  // The first that needs it opens it, and it lives as long as the broker.
  const opened = yield* Effect.cached(Effect.flatMap(Scope.fork(scope), (own) => Scope.provide(openConsuming, own)))
  const { isClosed: hasClosed, status } = yield* reportStatus(publishing)
  isClosed = hasClosed
  if (!settings.waitForBroker) yield* publishing.started
  // The publisher waits for this status: it must not be older than the start.
  yield* SubscriptionRef.set(status, statusOf(publishingState()))

  // Asked on both sides: a closed broker opens no connection, and one that closes meanwhile uses none.
  const consumingLink = Effect.suspend(() =>
    isClosed() ? closed : Effect.flatMap(opened, (connection) => (isClosed() ? closed : connection.link))
  )
  return {
    status,
    publishingState,
    consumingState: () => (consuming === undefined ? undefined : SubscriptionRef.getUnsafe(consuming.state)),
    consumingLink,
    tending,
    beginConsuming: Effect.suspend(() => (isClosed() ? Effect.void : Effect.asVoid(opened))),
    consumingOn: (use) => Effect.flatMap(consumingLink, (link) => Link.withRights(link, use)),
    publishingLink: Effect.suspend(() => {
      const state = publishingState()
      return state._tag === "Blocked" ? Effect.fail(isBlocked(state.detail)) : publishing.link
    }),
    onLink: (use) =>
      Effect.flatMap(consumingLink, (link) =>
        Effect.catchIf(
          Link.withRights(link, use),
          () => Link.isLost(link),
          () => Effect.flatMap(consumingLink, (next) => Link.withRights(next, use))
        )
      )
  }
})

const closed = Effect.fail(new BrokerError({ reason: new Closed() }))

const isBlocked = (detail: string): BrokerError =>
  new BrokerError({
    reason: new BrokerRefused({
      operation: "opening a channel to publish",
      detail: `RabbitMQ blocks publishers (${detail}): try again when it has memory and disk again`
    })
  })

/** When one connection reaches the broker, the other tries at once: they do not wait out two backoffs. */
const wakes = (one: Connection.Connection, other: Connection.Connection): Effect.Effect<void> =>
  Stream.runForEach(SubscriptionRef.changes(one.state), ({ _tag }) => (_tag === "Up" ? other.wake : Effect.void))

/** The status follows the publishing connection until the scope ends; then it is closed. */
const reportStatus = Effect.fnUntraced(function* (publishing: Connection.Connection) {
  const clock = yield* Clock.Clock
  const now = (): number => clock.currentTimeMillisUnsafe()
  let isClosed = false
  const status = yield* SubscriptionRef.make<BrokerStatus>({ _tag: "Connecting", since: now(), error: undefined })
  yield* SubscriptionRef.changes(publishing.state).pipe(
    Stream.runForEach((state) => (isClosed ? Effect.void : SubscriptionRef.set(status, statusOf(state)))),
    Effect.forkScoped
  )
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isClosed = true
      return SubscriptionRef.set(status, { _tag: "Closed", since: now() })
    })
  )
  return { status, isClosed: () => isClosed }
})

const statusOf = (state: Connection.State): BrokerStatus => {
  switch (state._tag) {
    case "Up":
      return { _tag: "Up", since: state.since }
    case "Blocked":
      return { _tag: "Blocked", since: state.since, detail: state.detail }
    case "Connecting":
    case "Closed":
      return state
  }
}
