/** What there is to take away, in order. */
import type * as Topology from "../topology/Topology.ts"

/** One thing to take away. */
export type Step = Unbinding | Deletion

export interface Unbinding {
  readonly _tag: "Unbind"
  readonly binding: Topology.Binding
}

export interface Deletion {
  readonly _tag: "Delete"
  readonly kind: "queue" | "exchange"
  readonly name: string
}

export interface Plan {
  readonly queues: ReadonlyArray<string>
  readonly steps: ReadonlyArray<Step>
  readonly blocked: ReadonlyArray<string>
  readonly notes: ReadonlyArray<string>
}
