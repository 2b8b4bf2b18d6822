/**
 * The stacks of errors that the Promise API rejects with. An error is made where the outcome is known, which may be
 * the callback of a socket: its stack says nothing about the call that failed. The stacks here are those of the call.
 *
 * A publish pays for that only when it fails: V8 knows who awaits a Promise, however long ago it was called. Without
 * an `await` the call would have to take its stack in advance, which costs a tenth of a publish: calls that are made
 * once, such as `subscribe`, do that.
 */
import { isOwnError } from "../../event/Tagged.ts"
import { userFrames } from "../../observe/UserStack.ts"

/** Where a call was made. */
export interface CallSite {
  readonly stack?: string
}

/** The stack of the current call. Formatting it is left to the first who reads it. */
export const here = (): CallSite => {
  const site = {}
  Error.captureStackTrace(site, here)
  return site
}

/**
 * The same error with the stack of its call, if it is an error of the library and code of the user is on that stack.
 * Errors of the user keep their own.
 */
export const atCallSite = (error: unknown, { stack = "" }: CallSite): unknown => {
  if (!isOwnError(error)) return error
  const frames = userFrames(stack)
  if (frames.length > 0) error.stack = `${error.name}: ${error.message}\n${frames.join("\n")}`
  return error
}
