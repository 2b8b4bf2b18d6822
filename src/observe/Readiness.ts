/**
 * Whether work may be sent here, without flapping: readiness changes once the opposite has been observed without a
 * break for a while. Until the service is ready for the first time every observation counts at once, so that a start
 * takes no longer than it has to.
 */
export interface Readiness {
  readonly ready: boolean
  /** Monotonic milliseconds. */
  readonly since: number
  /** Since when the opposite is observed, in monotonic milliseconds; undefined if it is not. */
  readonly contradictedSince: number | undefined
}

export interface Tracker {
  /** Records an observation, and returns the readiness to report. `now` is monotonic. */
  readonly update: (healthy: boolean, now: number) => Readiness
}

export const make = (patienceMillis: number): Tracker => {
  let state: Readiness | undefined
  let hasBeenReady = false
  return {
    update: (healthy, now) => {
      if (state === undefined || (!hasBeenReady && healthy))
        state = { ready: healthy, since: now, contradictedSince: undefined }
      else if (healthy === state.ready) state = { ...state, contradictedSince: undefined }
      else {
        const since = state.contradictedSince ?? now
        state =
          now - since >= patienceMillis
            ? { ready: healthy, since: now, contradictedSince: undefined }
            : { ...state, contradictedSince: since }
      }
      hasBeenReady ||= state.ready
      return state
    }
  }
}
