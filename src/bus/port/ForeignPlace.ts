/**
 * Objects of the broker that other systems declared. An adapter looks whether they exist, reads them and binds queues of ours
 * to them; it declares, changes and deletes none of them.
 */
/** A binding of a subscriber's queue to an exchange of another system. */
export interface ForeignBinding {
  readonly exchange: string
  readonly routingKey: string
  readonly arguments: Readonly<Record<string, string | number | boolean>>
}

/** What a subscriber gets its events from beside its own bindings. */
export interface ForeignPlaces {
  readonly bindings: ReadonlyArray<ForeignBinding>
  readonly queues: ReadonlyArray<string>
}

/** How another system routed a message. */
export interface ForeignRoute {
  readonly exchange: string
  readonly routingKey: string
}
