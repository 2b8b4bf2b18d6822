/**
 * One library under the benchmark, in the few words that all of them have. An adapter does what its
 * documentation shows, with its defaults, and nothing cleverer.
 */
import type { Grade } from "../Wire.ts"

export interface Session {
  /** Publishes confirmed, persistent and mandatory; `done` is called once, with the error if there is one. */
  readonly publish: (type: string, data: Grade, done: (error?: unknown) => void) => void
  /** Takes from the subscriber's queue and acknowledges what the handler was given. */
  readonly consume: (subscriber: string, prefetch: number, handle: (data: Grade) => void) => Promise<void>
  readonly close: () => Promise<void>
}

export interface Peer {
  readonly open: (url: string, options: PeerOptions) => Promise<Session>
}

export interface PeerOptions {
  /** Some libraries want it when they connect. */
  readonly subscriber?: string
  readonly prefetch?: number
  /** The queue is not one that the library would declare, so it must only look for it. */
  readonly foreignQueue?: boolean
}

/** For libraries that answer by a Promise. */
export const settle = (answer: Promise<unknown>, done: (error?: unknown) => void): void => {
  answer.then(() => done(), done)
}
