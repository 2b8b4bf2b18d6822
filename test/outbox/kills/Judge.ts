/** What was committed against what arrived. */

/** A committed transaction: the event that it appended is the n-th of its key. */
export interface Move {
  readonly k: string
  readonly n: number
  readonly id: string
}

export interface Arrival {
  readonly k: string
  readonly id: string
}

export interface Verdict {
  readonly committed: number
  /** Committed and never published. */
  readonly missing: number
  /** Published and never committed. */
  readonly foreign: number
  /** First arrivals that came before an earlier event of their key. */
  readonly disordered: number
  /** Arrivals of an event that had arrived before. */
  readonly repeated: number
}

export const judge = (moves: ReadonlyArray<Move>, arrivals: ReadonlyArray<Arrival>): Verdict => {
  const place = new Map(moves.map((move) => [move.id, move]))
  const seen = new Set<string>()
  const last = new Map<string, number>()
  let [foreign, disordered, repeated] = [0, 0, 0]
  for (const { id, k } of arrivals) {
    const move = place.get(id)
    if (move === undefined || move.k !== k) foreign++
    else if (seen.has(id)) repeated++
    else {
      seen.add(id)
      if (move.n < (last.get(k) ?? 0)) disordered++
      last.set(k, Math.max(last.get(k) ?? 0, move.n))
    }
  }
  return { committed: moves.length, missing: moves.length - seen.size, foreign, disordered, repeated }
}

export type Rule =
  | "row without its event"
  | "event without its row"
  | "order"
  | "repeated without a kill"
  | "stands still"
  | "effect twice"
  | "effect missing"

export interface Violation {
  readonly rule: Rule
  readonly count: number
}

/** Repetitions are allowed where something was killed. */
export const violationsOf = (verdict: Verdict, mayRepeat = true): ReadonlyArray<Violation> => {
  const { disordered, foreign, missing, repeated } = verdict
  const all: ReadonlyArray<Violation> = [
    { rule: "row without its event", count: missing },
    { rule: "event without its row", count: foreign },
    { rule: "order", count: disordered },
    { rule: "repeated without a kill", count: mayRepeat ? 0 : repeated }
  ]
  return all.filter(({ count }) => count > 0)
}
