/**
 * READONLY means that the server has become a replica. After a failover it keeps its connections, while its address, or
 * the sentinels, lead new connections to its successor: so the connection is closed and made anew.
 *
 * An address that still leads to a replica is tried again less and less often. Reads go on there in between.
 */

export interface Demotion {
  /** Whether this reply means that the connection has to be closed now. */
  readonly leaves: (error: Error) => boolean
  /** When a connection was last closed for this reason, by the clock that it was made with. */
  readonly leftAt: () => number
}

const firstPauseMillis = 250
const longestPauseMillis = 8_000
/** Without READONLY for this long, the next one belongs to another failover. */
const calmMillis = 60_000

/** Scripts of servers before Redis 7 have the code within their message. */
const isReadOnly = ({ message }: Error): boolean => /^READONLY |-READONLY /.test(message)

/** For one client, whose connection is made anew whenever it was closed. */
export const make = (now: () => number): Demotion => {
  let pause = firstPauseMillis
  let last = Number.NEGATIVE_INFINITY
  let leftAt = Number.NEGATIVE_INFINITY
  return {
    leaves: (error) => {
      if (!isReadOnly(error)) return false
      const at = now()
      const isFirst = at - last > calmMillis
      last = at
      if (!isFirst && at - leftAt < pause) return false
      pause = isFirst ? firstPauseMillis : Math.min(2 * pause, longestPauseMillis)
      leftAt = at
      return true
    },
    leftAt: () => leftAt
  }
}
