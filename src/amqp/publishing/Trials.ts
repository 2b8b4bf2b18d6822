/**
 * Routes that a message in flight tries. A publish that is denied costs the channel, and the broker says where it went,
 * not which message it was. So a route is tried with one message, and the others wait: then what was denied is known,
 * and the others were not sent. A route is tried once for each connection, and again after a denial.
 */
import type { Route } from "./Route.ts"

export interface Rights {
  /** Changes when the rights of the user may have changed; never 0. */
  epoch: number
}

export class Trials {
  private readonly rights: Rights
  private readonly open = new Set<Route>()

  constructor(rights: Rights) {
    this.rights = rights
  }

  /** Whether a message there has to wait for the one that tries the route. */
  holds(route: Route): boolean {
    return route.triedIn !== this.rights.epoch && this.open.has(route)
  }

  /** A message is sent there. */
  begin(route: Route): void {
    if (route.triedIn !== this.rights.epoch) this.open.add(route)
  }

  /** A message there was answered. Returns whether others may have waited for it. */
  end(route: Route, isAllowed: boolean): boolean {
    if (isAllowed) route.triedIn = this.rights.epoch
    return this.open.size > 0 && this.open.delete(route)
  }

  /** The channel is gone, and what waited for its messages with it. */
  clear(): void {
    this.open.clear()
  }
}
