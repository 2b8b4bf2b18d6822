/**
 * One library of the benchmark, behind the few operations that all of them have. An adapter does what the
 * documentation of its library shows, with its defaults, and nothing cleverer.
 */
import type { Grade } from "../GradeMessage.ts"

export interface Session {
  /** Publishes confirmed, persistent and mandatory; `done` is called once, with the error if there is one. */
  readonly publish: (type: string, data: Grade, done: (error?: unknown) => void) => void
  /** Consumes the queue of a subscriber and acknowledges each message after its handler. */
  readonly consume: (subscriber: string, prefetch: number, handle: (data: Grade) => void) => Promise<void>
  readonly close: () => Promise<void>
}

export interface Peer {
  readonly open: (url: string, options: PeerOptions) => Promise<Session>
}

export interface PeerOptions {
  /** Some libraries need it when they connect. */
  readonly subscriber?: string
  readonly prefetch?: number
  /** The library would declare the queue otherwise, so it must only check that it exists. */
  readonly foreignQueue?: boolean
}

/** For libraries that return a Promise. */
export const settle = (answer: Promise<unknown>, done: (error?: unknown) => void): void => {
  answer.then(() => done(), done)
}
