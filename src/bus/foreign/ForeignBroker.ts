/**
 * The broker as a subscriber of another system's events sees it: its queue is bound to the exchanges of that system, and what
 * comes from there is read by its codec before anything else looks at it.
 */
import * as Effect from "effect/Effect"
import type * as Log from "../../observe/Log.ts"
import { Broker } from "../port/Broker.ts"
import type { BrokerError } from "../port/BrokerError.ts"
import type { ForeignPlaces } from "../port/ForeignPlace.ts"
import type { ForeignReader } from "./ForeignReader.ts"

export interface ForeignBrokerParts {
  readonly broker: Broker["Service"]
  readonly subscriber: string
  readonly from: ForeignPlaces
  readonly reader: ForeignReader
  readonly log: Log.Log
}

export class ForeignBroker {
  readonly service: Broker["Service"]
  /** Why nothing comes of what it is bound to; undefined while it does. */
  private missing: string | undefined
  private hasDeclared = false
  private readonly parts: ForeignBrokerParts

  constructor(parts: ForeignBrokerParts) {
    this.parts = parts
    const { broker, from, reader } = parts
    this.service = Broker.of({
      ...broker,
      declare: (spec) => {
        const all = Effect.map(broker.declare({ ...spec, foreign: from }), () => this.declared())
        // Retries and replays go on while an object of the other system is away.
        return Effect.catchIf(
          all,
          (error) => this.hasDeclared && this.isForeign(error),
          (error) =>
            Effect.andThen(
              broker.declare(spec),
              Effect.sync(() => this.misses(error))
            )
        )
      },
      consume: (options) =>
        broker.consume({
          ...options,
          withRoute: true,
          onDelivery: (delivery) => {
            const read = reader.read(delivery)
            if (read !== undefined) options.onDelivery(read)
          }
        })
    })
  }

  fault(): string | undefined {
    return this.missing
  }

  private declared(): void {
    this.hasDeclared = true
    this.missing = undefined
  }

  private misses({ message }: BrokerError): void {
    if (this.missing === undefined)
      this.parts.log.warning("events of another system do not come", {
        subscriber: this.parts.subscriber,
        detail: message
      })
    this.missing = message
  }

  private isForeign({ reason }: BrokerError): boolean {
    if (reason._tag !== "TopologyMissing" && reason._tag !== "Permission") return false
    const { bindings, queues } = this.parts.from
    const { entity } = reason
    return (
      queues.some((queue) => entity === `queue ${queue}`) ||
      bindings.some(({ exchange }) => entity === `exchange ${exchange}` || entity.endsWith(` to ${exchange}`))
    )
  }
}
