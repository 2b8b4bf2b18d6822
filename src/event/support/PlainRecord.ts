/**
 * Plain objects that are made by a constructor.
 *
 * V8 watches what becomes of object literals, and allocates those of a place in the old generation for good once most of
 * them survive a while, as those of events do that wait for their batch. They die there unnoticed, and a full collection
 * has to find them: a batch of 500 cost 2.5 times the CPU. Instances of constructors are not watched.
 */

/** Whose instances have the prototype of literals, so that nobody can tell one from the other. */
export const constructorOf = <Args extends ReadonlyArray<unknown>, A extends object>(
  fill: (this: { -readonly [Name in keyof A]: A[Name] }, ...args: Args) => void
): new (...args: Args) => A => {
  fill.prototype = Object.prototype
  // A function that fills `this` is a constructor of what it fills.
  return fill as unknown as new (...args: Args) => A
}
