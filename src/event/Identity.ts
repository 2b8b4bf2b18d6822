/**
 * The identity of an event: its source, its type and its id together. CloudEvents makes source and id unique for each
 * event; the type separates the events of a source that numbers each type on its own. Two producers that both number
 * from 1 share ids, so an id alone identifies nothing.
 */

export interface Identity {
  readonly source: string
  readonly type: string
  readonly id: string
}

/** Whether an event has an identity. Plain JSON may come without an id; such an event is a duplicate of no other. */
export const isKnown = ({ id }: Pick<Identity, "id">): boolean => id !== ""

/** One text for each identity. No part can be chosen so that the text is that of another identity. */
export const textOf = ({ id, source, type }: Identity): string => JSON.stringify([source, type, id])
