/**
 * The handlers that users wrote, by the handlers that were made of them. By what was written, two subscribers are
 * recognised to do the same.
 */
const written = new WeakMap<object, object>()

/** Says that one handler was made of another, which may have been made of a third. */
export const madeOf = <H extends object>(made: H, handler: object): H => {
  written.set(made, writtenOf(handler))
  return made
}

export const writtenOf = (handler: object): object => written.get(handler) ?? handler
