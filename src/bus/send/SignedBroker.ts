/**
 * A broker whose runtime signs what it sends for itself (retries, parked and delayed events, control messages, dead
 * letters) and believes nothing of that kind without a signature. Rights on the broker cannot do that alone: whoever may
 * write to the exchanges of the runtime could write anything there. Ordinary events are not signed.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Meter from "../../observe/Meter.ts"
import * as Metrics from "../../observe/Metrics.ts"
import {
  type Address,
  Broker,
  type ConsumeOptions,
  type DeadLetterSource,
  type Delivery,
  type InFlightMessage,
  inFlight,
  type QueueKind
} from "../port/Broker.ts"
import { BrokerError } from "../port/BrokerError.ts"
import { SettingsInvalid } from "../port/BrokerReason.ts"
import * as RuntimeHeaders from "./RuntimeHeaders.ts"
import * as Signature from "./Signature.ts"

type Secret = string | Redacted.Redacted<string>

export interface Signing {
  /** One secret, or two while it is changed: the first one signs, both are accepted. Each has at least 32 characters. */
  readonly secret: Secret | readonly [Secret, Secret]
  /**
   * `"sign"` signs and believes what is unsigned, until every process signs; `"require"` believes only what is signed.
   * Default `"sign"`.
   */
  readonly mode?: "sign" | "require"
}

const leastLength = 32

export const layer = (signing: Signing): Layer.Layer<Broker, BrokerError, Broker> =>
  Layer.effect(
    Broker,
    Effect.gen(function* () {
      const broker = yield* Broker
      const { secret } = signing
      const secrets = (isSingle(secret) ? [secret] : secret).map(textOf)
      const fault = secretFault(secrets)
      if (fault !== undefined) return yield* fault
      const signer = new Signature.Signer(broker.namespace, secrets)
      const isRequired = (signing.mode ?? "sign") === "require"
      return make(broker, new Judge(signer, isRequired, yield* Effect.context<never>()), signer)
    })
  )

const isSingle = (secret: Signing["secret"]): secret is Secret =>
  typeof secret === "string" || Redacted.isRedacted(secret)

const textOf = (secret: Secret): string => (Redacted.isRedacted(secret) ? Redacted.value(secret) : secret)

const secretFault = (secrets: ReadonlyArray<string>): BrokerError | undefined => {
  const isLong = secrets.every((secret) => typeof secret === "string" && secret.length >= leastLength)
  if (isLong && secrets.length <= 2) return undefined
  return new BrokerError({
    reason: new SettingsInvalid({
      setting: "signing.secret",
      problem: isLong ? `there are ${secrets.length} secrets` : `a secret has fewer than ${leastLength} characters`,
      remedy: isLong ? "Give the new one, and the former one after it" : "Make one with `openssl rand -base64 32`"
    })
  })
}

const make = (broker: Broker["Service"], judge: Judge, signer: Signature.Signer): Broker["Service"] =>
  Broker.of({
    ...broker,
    send: (message) => broker.send(signed(signer, message)),
    consume: (options) => broker.consume(judging(judge, options, options.subscriber, options.queue)),
    consumeEphemeral: (options) => {
      const [source, ...others] = options.letters ?? []
      // Letters alone are judged as those of a queue; among events nothing says whose letter one is.
      if (source === undefined || others.length > 0 || options.patterns.length > 0)
        return broker.consumeEphemeral(judging(judge, options, ""))
      return broker.consumeEphemeral({
        ...options,
        onDelivery: (delivery) => options.onDelivery(judge.letter(delivery, source))
      })
    },
    readDeadLetters: (source) =>
      Effect.map(broker.readDeadLetters(source), (reader) => ({
        ...reader,
        next: Effect.map(reader.next, (letter) => (letter === undefined ? undefined : judge.letter(letter, source)))
      }))
  })

const signed = (signer: Signature.Signer, shipment: InFlightMessage): InFlightMessage => {
  const { message } = shipment
  if (message.to._tag === "Event" || message.to._tag === "Foreign") return shipment
  const headers = { ...message.headers, [Signature.header]: signer.sign(placeOf(message.to), message) }
  return inFlight({ ...message, headers }, (outcome) => shipment.answered(outcome))
}

const placeOf = (to: Exclude<Address, { readonly _tag: "Event" | "Foreign" }>): string => {
  switch (to._tag) {
    case "DelayedEvent":
      return delayedPlace(to.name)
    case "Subscriber":
      return copyPlace(to.name)
    case "Parked":
      return parkedPlace(to.subscriber)
    case "DeadLetter":
      return letterPlace(to.subscriber)
  }
}
const delayedPlace = (event: string): string => `publish ${event}`
const copyPlace = (subscriber: string): string => `to ${subscriber}`
const parkedPlace = (subscriber: string): string => `parked ${subscriber}`
const letterPlace = (subscriber: string): string => `dead ${subscriber}`

const judging = <Options extends Pick<ConsumeOptions, "onDelivery">>(
  judge: Judge,
  options: Options,
  subscriber: string,
  queue?: QueueKind
): Options => {
  const place = queue === "parked" ? parkedPlace(subscriber) : copyPlace(subscriber)
  return {
    ...options,
    onDelivery: (delivery) => options.onDelivery(judge.delivery(delivery, place, subscriber))
  }
}

/** Says what may be believed of a delivery. */
class Judge {
  private readonly signer: Signature.Signer
  private readonly isRequired: boolean
  private readonly unsigned: (subscriber: string) => Meter.Series

  constructor(signer: Signature.Signer, isRequired: boolean, context: Context.Context<never>) {
    this.signer = signer
    this.isRequired = isRequired
    this.unsigned = Meter.seriesBy(Metrics.unsigned, context, {}, "eventbus.subscriber")
  }

  /** `place` is where the copies go that its consumer is to get. */
  delivery(delivery: Delivery, place: string, subscriber: string): Delivery {
    const { delayed, headers, routingKey, trusted } = delivery
    if (!trusted && !(delayed && headers[RuntimeHeaders.names.delayed] === true)) return delivery
    const isValid = this.signer.isValid(trusted ? place : delayedPlace(routingKey), delivery)
    if (!isValid) this.unsigned(subscriber).update(1)
    if (isValid || !this.isRequired) return delivery
    // An event that only claims to have been delayed is an event of another program, as its route says.
    return trusted ? { ...delivery, trusted: false, signed: false } : { ...delivery, delayed: false }
  }

  letter(letter: Delivery, source: DeadLetterSource): Delivery {
    if (!this.isRequired) return letter
    const place =
      source._tag === "Subscriber"
        ? letterPlace(source.name)
        : letter.recipient === undefined
          ? delayedPlace(letter.routingKey)
          : copyPlace(letter.recipient)
    return { ...letter, signed: this.signer.isValid(place, letter) }
  }
}
