/** The job of one consuming process, and what it reports. */
import type { Grade } from "../GradeMessage.ts"

export interface Job {
  readonly consumer: string
  readonly url: string
  readonly subscriber: string
  readonly prefetch: number
  /** Handlers that run at once, for those that bound them. */
  readonly concurrency: number
  readonly handlerMillis: number
  /** Only the objects of the broker are declared. */
  readonly declareOnly: boolean
}

export type Report =
  | { readonly _tag: "Ready" }
  /** `Died`: its process ended before the handler did. */
  | { readonly _tag: "Began" | "Ended" | "Died"; readonly key: string; readonly n: number; readonly at: number }
  /** What the library said by itself. */
  | { readonly _tag: "Said"; readonly text: string }

/** Handles one event: it succeeds after the time that a handler takes. */
export type Handle = (data: Grade) => Promise<void>

/** Consumes until the process ends. */
export type Consume = (job: Job, handle: Handle, say: (text: string) => void) => Promise<void>
