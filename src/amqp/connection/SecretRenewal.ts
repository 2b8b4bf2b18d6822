/**
 * The secret of one connection while it is open. Tokens end: RabbitMQ before 4.3 then refuses every publish and
 * declaration, and 4.3 closes the connection. So fresh credentials are asked for when two thirds of their time are over, and the
 * connection goes on with them (`connection.update-secret`). The same is done at once when RabbitMQ refuses something,
 * since the token may have been revoked, or may have ended on the broker's clock.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Semaphore from "effect/Semaphore"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { AuthenticationFailed, ConnectionFailed } from "../../bus/port/BrokerReason.ts"
import * as Backoff from "../../bus/support/Backoff.ts"
import * as Monotonic from "../../observe/Monotonic.ts"
import type { Settings } from "../AmqpOptions.ts"
import type { OpenConnection } from "./Dial.ts"
import * as Given from "./Given.ts"

/** Asking again, until there are credentials. */
const again: Backoff.Backoff = { baseMillis: 1000, capMillis: 15_000, jitter: "around" }
/** Credentials that end sooner are asked for once in this time. */
const leastMillis = 1000
/** Node's timers fire at once beyond 24 days. */
const mostMillis = 86_400_000
/** A refusal asks for fresh credentials at most once in this time. */
const refusedMillis = 10_000

export interface SecretRenewal {
  /** Renews until the connection ends. */
  readonly keep: Effect.Effect<never>
  /** Grows with each secret that the connection took. */
  readonly version: () => number
  /** Whether `renew` would ask for credentials. */
  readonly isRenewable: () => boolean
  /** Asks for credentials because of a refusal; returns whether the connection has a secret since `version`. */
  readonly renew: (version: number) => Effect.Effect<boolean>
  /** The claims of the token in use, if it is one. */
  readonly claims: () => string | undefined
  /** Why it could not be renewed; undefined once it was. */
  readonly fault: () => string | undefined
  /** Calls this each time the connection took a secret. */
  readonly onUpdate: (listener: () => void) => void
}

/** `ended` is failed when only a new connection can take the credentials, and is done when the connection is gone. */
export const make = Effect.fnUntraced(function* (
  connection: OpenConnection,
  settings: Settings,
  ended: Deferred.Deferred<never, BrokerError>,
  onRenewed: (renewed: boolean) => void
) {
  const clock = yield* Clock.Clock
  return new Keeper(connection, settings, ended, onRenewed, clock)
})

/** The secret of a connection that is not renewed. */
export const fixed: SecretRenewal = {
  keep: Effect.never,
  version: () => 0,
  isRenewable: () => false,
  renew: () => Effect.succeed(false),
  claims: () => undefined,
  fault: () => undefined,
  onUpdate: () => {}
}

class Keeper implements SecretRenewal {
  readonly keep: Effect.Effect<never>
  private readonly connection: OpenConnection
  private readonly settings: Settings
  private readonly ended: Deferred.Deferred<never, BrokerError>
  private readonly onRenewed: (renewed: boolean) => void
  private readonly clock: Clock.Clock
  private readonly now: Monotonic.Monotonic
  private readonly semaphore = Semaphore.makeUnsafe(1)
  private readonly listeners: Array<() => void> = []
  private login: Given.Login | undefined
  private updates = 0
  private failures = 0
  private lastFault: string | undefined
  private askedAt = Number.NEGATIVE_INFINITY

  constructor(
    connection: OpenConnection,
    settings: Settings,
    ended: Deferred.Deferred<never, BrokerError>,
    onRenewed: (renewed: boolean) => void,
    clock: Clock.Clock
  ) {
    this.connection = connection
    this.settings = settings
    this.ended = ended
    this.onRenewed = onRenewed
    this.clock = clock
    this.now = Monotonic.of(clock)
    this.login = connection.credentials
    this.keep = Effect.suspend(() => this.wait()).pipe(
      Effect.andThen(this.semaphore.withPermit(Effect.suspend(() => this.attempt()))),
      Effect.forever
    )
  }

  readonly onUpdate = (listener: () => void): void => void this.listeners.push(listener)
  readonly version = (): number => this.updates
  readonly claims = (): string | undefined => this.login?.token?.claims
  readonly fault = (): string | undefined => this.lastFault
  readonly isRenewable = (): boolean =>
    this.settings.credentials !== undefined && this.now() - this.askedAt >= refusedMillis

  readonly renew = (version: number): Effect.Effect<boolean> =>
    this.semaphore.withPermit(
      Effect.suspend(() => {
        if (this.updates > version || !this.isRenewable()) return Effect.succeed(this.updates > version)
        this.askedAt = this.now()
        return Effect.map(this.attempt(), () => this.updates > version)
      })
    )

  /** Waits until it is time to renew. */
  private wait(): Effect.Effect<void> {
    if (this.settings.credentials === undefined || this.login === undefined) return Effect.never
    if (this.failures > 0) return Backoff.wait(again, this.failures - 1)
    const end = Given.endOf(this.login)
    if (end === undefined) return Effect.never
    // A token ends by the wall clock.
    const left = ((end - this.clock.currentTimeMillisUnsafe()) * 2) / 3
    return Effect.sleep(Math.min(Math.max(left, leastMillis), mostMillis))
  }

  /** Asks for credentials, and has the connection take them. */
  private attempt(): Effect.Effect<void> {
    const { connection, settings } = this
    const { credentials } = settings
    if (credentials === undefined) return Effect.void
    return Given.fresh(connection.address, credentials).pipe(
      within(settings.connectMillis, () => connectionFault(connection, "the credentials did not come in time")),
      Effect.flatMap((login) => this.use(login)),
      Effect.match({
        onFailure: (error) => {
          this.failures++
          this.lastFault = error.message
          this.onRenewed(false)
        },
        onSuccess: () => {
          this.failures = 0
          this.lastFault = undefined
        }
      })
    )
  }

  private use(login: Given.Login): Effect.Effect<void, BrokerError> {
    const { connection, ended, settings } = this
    const { address, username } = connection
    const token = login.token?.claims
    const before = this.login
    if (before !== undefined && before.username !== login.username)
      return Effect.asVoid(
        Deferred.fail(ended, connectionFault(connection, "its credentials are of another user now: it connects anew"))
      )
    const secret = Redacted.value(login.password)
    if (before !== undefined && Redacted.value(before.password) === secret) {
      this.login = login
      return Effect.void
    }
    return Effect.tryPromise({
      try: () => connection.model.updateSecret(Buffer.from(secret), "renewed"),
      // It throws when the connection is closing.
      catch: () => connectionFault(connection, "the connection ended while its secret was updated")
    }).pipe(
      // amqplib leaves the call open when RabbitMQ answers with a close.
      Effect.raceFirst(
        Effect.mapError(
          Deferred.await(ended),
          () =>
            new BrokerError({
              reason: new AuthenticationFailed({ address, username, ...(token !== undefined && { token }) })
            })
        )
      ),
      within(settings.callMillis, () => connectionFault(connection, "the update of its secret was not answered")),
      Effect.map(() => {
        this.login = login
        this.updates++
        this.onRenewed(true)
        for (const listener of this.listeners) listener()
      })
    )
  }
}

const connectionFault = ({ address }: OpenConnection, detail: string): BrokerError =>
  new BrokerError({ reason: new ConnectionFailed({ address, detail }) })

const within =
  (duration: number, orElse: () => BrokerError) =>
  <A>(effect: Effect.Effect<A, BrokerError>): Effect.Effect<A, BrokerError> =>
    Effect.timeoutOrElse(effect, { duration, orElse: () => Effect.fail(orElse()) })
