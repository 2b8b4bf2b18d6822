/**
 * PORT: what an operator declares, compares and takes away on a broker. Looking changes nothing; what is deleted was
 * named, and is empty unless its contents were given up as well.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { SubscriberSpec } from "./Broker.ts"
import type { BrokerError } from "./BrokerError.ts"

/** The subscribers that are known, with what they declare where that is known, too. */
export interface Wanted {
  readonly specs: ReadonlyArray<SubscriberSpec>
  /** Names alone: their queues belong to somebody, and nothing else is known of them. */
  readonly names: ReadonlyArray<string>
  /** Whether every level of the delay ladder is wanted, for services that may declare none of them. */
  readonly wholeLadder?: boolean
}

export type DifferenceKind = "missing" | "different" | "unbound" | "orphaned-queue" | "orphaned-binding"

/** Where the broker is not as the contracts say. */
export interface Difference {
  readonly kind: DifferenceKind
  readonly entity: string
  /** What was seen: the argument that differs, what a queue holds, or the routing key of a binding. */
  readonly seen: string
  /** The command that mends it, or what to do where no command does. */
  readonly mend: string
}

/** What a namespace takes of the broker. */
export interface Cost {
  /** Queues that are declared when everything is: of these all but the exclusive ones are quorum queues. */
  readonly quorumQueues: number
  /** How many more the delay ladder may take: a level is declared when a delay first needs it. */
  readonly ladderQueues: number
  /** How many of them are missing; null where it could not be seen. */
  readonly missingQueues: number
  readonly exchanges: number
  readonly bindings: number
  /** File handles that RabbitMQ reserves for these queues on each node that has a copy of them. */
  readonly handles: number
  /** The smallest number of files that a node may have open, and how many quorum queues the virtual host has; null without the management API. */
  readonly nodeHandles: number | null
  readonly hostQuorumQueues: number | null
}

export interface Comparison {
  readonly differences: ReadonlyArray<Difference>
  /** What could not be seen from here, and what would show it. */
  readonly unseen: ReadonlyArray<string>
  readonly cost: Cost
}

export type Retired =
  | { readonly _tag: "Subscriber"; readonly name: string }
  /** Of these subscribers; of all that are bound to it where the list is empty. */
  | { readonly _tag: "Event"; readonly name: string; readonly subscribers: ReadonlyArray<string> }
  | { readonly _tag: "Namespace" }

/** What a queue holds; null is what could not be seen. */
export interface Contents {
  readonly queue: string
  readonly ready: number | null
  readonly unacknowledged: number | null
  /** Dead letters that it could not hand on yet. */
  readonly stuck: number | null
  readonly consumers: number | null
}

export interface RetireStep {
  readonly action: "unbind" | "delete"
  readonly entity: string
  /** Whether it was done; in a dry run nothing is. */
  readonly done: boolean
}

export interface Retirement {
  readonly contents: ReadonlyArray<Contents>
  readonly steps: ReadonlyArray<RetireStep>
  /** Why nothing, or nothing more, is done. */
  readonly blocked: ReadonlyArray<string>
  /** What to know of what stays. */
  readonly notes: ReadonlyArray<string>
  readonly unseen: ReadonlyArray<string>
}

export interface RetireOptions {
  /** Does it. Without it the answer says what would be done. */
  readonly apply: boolean
  /** Deletes queues with what they hold. */
  readonly withContents: boolean
}

/** A service that gets users of its own, by names of subscribers and events, and patterns of those that it is bound to. */
export interface GrantedService {
  readonly user: string
  readonly subscribers: ReadonlyArray<string>
  readonly publishes: ReadonlyArray<string>
  readonly binds: ReadonlyArray<string>
}

/** The rights that a service needs, and no more; passwords are placeholders. */
export interface Grants {
  readonly rabbitmq: {
    readonly vhost: string
    readonly permissions: { readonly configure: string; readonly write: string; readonly read: string }
    readonly topicPermissions: ReadonlyArray<{
      readonly exchange: string
      readonly write: string
      readonly read: string
    }>
    readonly commands: ReadonlyArray<string>
    /** Definitions to import. */
    readonly definitions: Readonly<Record<string, ReadonlyArray<Readonly<Record<string, unknown>>>>>
  }
  readonly redis: {
    /** To be set as `stateNamespace`. */
    readonly stateNamespace: string
    readonly commands: ReadonlyArray<string>
    /** For operators, who alone may pause subscribers. */
    readonly operatorCommands: ReadonlyArray<string>
  }
}

export class Administrator extends Context.Service<
  Administrator,
  {
    readonly namespace: string
    readonly compare: (wanted: Wanted) => Effect.Effect<Comparison, BrokerError>
    /** Declares and binds, as the services do when they start. */
    readonly declare: (wanted: Wanted) => Effect.Effect<void, BrokerError>
    readonly retire: (target: Retired, wanted: Wanted, options: RetireOptions) => Effect.Effect<Retirement, BrokerError>
    readonly grants: (service: GrantedService) => Effect.Effect<Grants, BrokerError>
  }
>()("@eduflow/events/bus/Administrator") {}
