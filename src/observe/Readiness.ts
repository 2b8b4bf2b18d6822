/**
 * Whether work may be sent here, told in a way that does not flap: what is told changes when the opposite
 * was seen for a while without a break. Until it is ready for the first time each look counts at once: a start
 * takes no longer than it does.
 */
export interface Readiness {
  readonly ready: boolean
  /** Milliseconds since the epoch. */
  readonly since: number
  /** Since when the opposite is seen; undefined while nothing contradicts. */
  readonly contradictedSince: number | undefined
}

export const make = (patienceMillis: number) => {
  let state: Readiness | undefined
  let started = false
  return {
    /** What is to be told after this look. */
    look: (fine: boolean, now: number): Readiness => {
      if (state === undefined || (!started && fine)) state = { ready: fine, since: now, contradictedSince: undefined }
      else if (fine === state.ready) state = { ...state, contradictedSince: undefined }
      else {
        const since = state.contradictedSince ?? now
        state =
          now - since >= patienceMillis
            ? { ready: fine, since: now, contradictedSince: undefined }
            : { ...state, contradictedSince: since }
      }
      started ||= state.ready
      return state
    }
  }
}
