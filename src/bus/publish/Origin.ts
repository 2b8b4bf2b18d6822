/** Where a publish comes from: who publishes and, within a handler, the event that is being handled. */
import * as Context from "effect/Context"
import { type Actor, CurrentActor } from "../../event/Actor.ts"
import { CurrentHandling } from "../support/CurrentHandling.ts"
import type { PublishOptions } from "./PublishOptions.ts"

export class Origin {
  readonly actor: Actor | undefined
  readonly isHandler: boolean
  readonly correlationId: string | undefined
  readonly causationId: string | undefined

  /** `context` is that of the fiber that publishes. */
  constructor(context: Context.Context<never>, options: PublishOptions) {
    const handling = Context.get(context, CurrentHandling)
    this.actor = Context.get(context, CurrentActor)
    this.isHandler = handling !== undefined
    this.correlationId = options.correlationId ?? handling?.correlationId ?? handling?.id
    this.causationId = options.causationId ?? handling?.id
  }
}
