/**
 * The connection for everything around events: declarations, bindings, counts of queues, the canary of the ladder. RabbitMQ 4.3
 * ends a connection whose binding finds no leader of the metadata (541): nobody minds losing this one. It is opened when
 * it is needed, and closed when it was not used for a minute.
 */
import * as Effect from "effect/Effect"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { Settings } from "../AmqpOptions.ts"
import type { Addresses } from "./Addresses.ts"
import * as Link from "./Link.ts"
import * as OpenLink from "./OpenLink.ts"

export interface Tending {
  /** The link, for as long as the scope lives or until it is lost. */
  readonly link: Effect.Effect<Link.Link, BrokerError, Scope.Scope>
  /** Runs on the link, and again on a new one if it is lost meanwhile: for what may be done twice. */
  readonly on: <A>(use: (link: Link.Link) => Effect.Effect<A, BrokerError>) => Effect.Effect<A, BrokerError>
}

const idle = "1 minute"

/** `isThere` waits for the broker, and fails with the reason why it is away. */
export const make = Effect.fnUntraced(function* (
  settings: Settings,
  addresses: Addresses,
  isThere: Effect.Effect<unknown, BrokerError>
) {
  const opening: OpenLink.Opening = {
    settings,
    role: "tend",
    addresses,
    onAccepted: () => {},
    onRenewed: () => {},
    epoch: 0
  }
  const acquire = Effect.map(Effect.andThen(isThere, OpenLink.open(opening)), ({ link }) => link)
  const current = yield* RcRef.make({ acquire, idleTimeToLive: idle })
  const lose = RcRef.invalidate(current)
  /** What it waits for would not come. If all are silent, one is as good as another. */
  const isDeserted = ({ address }: Link.Link): boolean =>
    addresses.isSilent(address) && settings.servers.some((server) => !addresses.isSilent(server.address))
  const link = Effect.flatMap(RcRef.get(current), (found) =>
    Link.isLost(found) || isDeserted(found) ? Effect.andThen(lose, RcRef.get(current)) : Effect.succeed(found)
  )
  const on: Tending["on"] = (use) =>
    Effect.flatMap(link, (live) =>
      Effect.catchIf(
        Link.withRights(live, use),
        () => Link.isLost(live),
        () => Effect.flatMap(link, (next) => Link.withRights(next, use))
      )
    ).pipe(
      // What is not answered here may be answered on another connection.
      Effect.tapError(({ reason }) => (reason._tag === "Refused" ? lose : Effect.void)),
      Effect.scoped
    )
  return { link, on } satisfies Tending
})
