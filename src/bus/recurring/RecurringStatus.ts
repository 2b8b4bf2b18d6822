/** What a process knows of one of its recurring events, for its health. */
import * as Effect from "effect/Effect"
import type { Health } from "../../observe/Health.ts"

type State =
  | { readonly _tag: "Starting" }
  /** Another process is active, or nobody yet. */
  | { readonly _tag: "Standby" }
  | { readonly _tag: "Waiting"; readonly next: Date }
  | { readonly _tag: "Failing"; readonly tick: Date; readonly detail: string }
  | { readonly _tag: "Away"; readonly detail: string }

export class RecurringStatus {
  private state: State = { _tag: "Starting" }
  readonly probe: Health.Probe

  constructor(name: string) {
    this.probe = {
      name: `recurring ${name}`,
      critical: false,
      check: Effect.sync(() => resultOf(this.state))
    }
  }

  standsBy(): void {
    this.state = { _tag: "Standby" }
  }

  waits(next: Date): void {
    this.state = { _tag: "Waiting", next }
  }

  fails(tick: Date, detail: string): void {
    this.state = { _tag: "Failing", tick, detail }
  }

  isAway(detail: string): void {
    this.state = { _tag: "Away", detail }
  }
}

const resultOf = (state: State): Health.ProbeResult => {
  switch (state._tag) {
    case "Starting":
      return { status: "degraded", detail: "its queue is not consumed yet" }
    case "Standby":
      return { status: "up", detail: "another process publishes its ticks, or takes over" }
    case "Waiting":
      return { status: "up", detail: `the next tick is ${state.next.toISOString()}` }
    case "Failing":
      return { status: "degraded", detail: `the tick of ${state.tick.toISOString()} is not published: ${state.detail}` }
    case "Away":
      return { status: "degraded", detail: `its queue is not consumed: ${state.detail}` }
  }
}
