/** The set-up of the cases of a `Broker`: processes over it, a network that breaks, and other programs on it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Broker } from "../../../bus/port/Broker.ts"
import type { BrokerError } from "../../../bus/port/BrokerError.ts"
import type { CacheStore } from "../../../bus/port/CacheStore.ts"
import type { ClaimStore } from "../../../bus/port/ClaimStore.ts"
import * as SignedBroker from "../../../bus/send/SignedBroker.ts"
import * as ConformanceCase from "../ConformanceCase.ts"
import { type Connect, processOver, type Services } from "../setup/BusProcess.ts"

/** The ports of one process: each build of the layer is a client of its own, in the namespace of the suite. */
export type Ports = Layer.Layer<Broker | CacheStore, BrokerError>

/** A network to the broker that a case can hold up and break, without disturbing other cases. */
export interface Network {
  readonly ports: Ports
  /** Nothing comes back from the broker; nothing is lost. */
  readonly stall: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** Breaks every connection; none is possible until it is mended. */
  readonly cut: Effect.Effect<void>
  readonly mend: Effect.Effect<void>
}

/** An event that another program publishes, with headers of any kind that the broker carries. */
export interface ForeignEvent {
  readonly name: string
  readonly body: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly messageId: string
}

export interface BrokerSetup {
  readonly ports: Ports
  readonly network: Effect.Effect<Network, never, Scope.Scope>
  /** A store of claims; a build of the layer may be shared by processes. */
  readonly claims: Layer.Layer<ClaimStore>
  /** Completes when the event is confirmed. `broker` is a client that may be used for it. */
  readonly publishForeign: (event: ForeignEvent, broker: Broker["Service"]) => Effect.Effect<void>
  /** Whether the broker is another process, so that an answer can be held up on the way. */
  readonly remote: boolean
  /** Factor of the large counts. Default 1. */
  readonly scale?: number
}

/** The set-up as the cases use it. */
export interface BrokerUnderTest {
  /** One process. */
  readonly connect: Connect
  /** One process that has the signing secret. */
  readonly connectSigned: (signing: SignedBroker.Signing) => Connect
  readonly network: Effect.Effect<Omit<Network, "ports"> & { readonly connect: Connect }, never, Scope.Scope>
  readonly claims: Layer.Layer<ClaimStore>
  readonly publishForeign: BrokerSetup["publishForeign"]
  readonly remote: boolean
  /** A large count, scaled. */
  readonly many: (count: number) => number
}

export type BrokerCase = (broker: BrokerUnderTest) => ConformanceCase.ConformanceCase<Services | Scope.Scope>

export const brokerCase =
  (name: string, test: (broker: BrokerUnderTest) => Effect.Effect<void, unknown, Services | Scope.Scope>): BrokerCase =>
  (broker) =>
    ConformanceCase.make(name, () => test(broker))

const connectOver =
  (ports: Ports): Connect =>
  (options) =>
    processOver(ports, options)

export const underTest = ({
  claims,
  network,
  ports,
  publishForeign,
  remote,
  scale = 1
}: BrokerSetup): BrokerUnderTest => ({
  connect: connectOver(ports),
  connectSigned: (signing) => connectOver(Layer.provideMerge(SignedBroker.layer(signing), ports)),
  network: Effect.map(network, ({ ports, ...control }) => ({ ...control, connect: connectOver(ports) })),
  claims,
  publishForeign,
  remote,
  many: (count) => Math.ceil(count * scale)
})
