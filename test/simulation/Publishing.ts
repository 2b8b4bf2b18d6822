/** Publishes of a run: what each was meant to be, and how it ended for its caller. */
import { Effect, Exit } from "effect"
import type { EventBus } from "../../src/bus/EventBus.ts"
import type { Life } from "./Life.ts"
import type { Intent, Observations, PublishOutcome } from "./Observations.ts"
import { contracts, type Name, type Setup } from "./Setup.ts"

/** What publishes: a process with its bus. */
export interface Publisher {
  readonly life: Life
  readonly bus: EventBus["Service"]
}

export interface Options {
  readonly setup: Setup
  readonly observed: Observations
  /** Names of the subscribers that are registered. */
  readonly registered: ReadonlySet<string>
}

export class Publishing {
  private readonly options: Options
  private numbers = 0
  /** Publishes without an outcome. */
  open = 0

  constructor(options: Options) {
    this.options = options
  }

  intend(
    event: Name,
    key: string,
    more: Partial<Pick<Intent, "delayed" | "mandatory" | "pipelined" | "timeout" | "n">> = {}
  ): Intent {
    const { observed, registered, setup } = this.options
    const n = more.n ?? ++this.numbers
    return observed.intended({
      event,
      key,
      startedAt: observed.note(`is to be published as ${event} ${key}`, n),
      at: observed.now(),
      delayed: false,
      mandatory: false,
      pipelined: false,
      timeout: setup.publishTimeout,
      bound: new Set(registered),
      outcome: undefined,
      outcomeAt: 0,
      ...more,
      n
    })
  }

  /** One publish with its outcome; done when it has one. */
  publish(
    { bus, life }: Publisher,
    intent: Intent,
    more: { readonly delay?: number; readonly bad?: boolean } = {}
  ): Effect.Effect<void> {
    const { observed } = this.options
    const { event, key, mandatory, n } = intent
    // A key that is no text must be refused before the wire.
    const body = more.bad === true ? { n, k: 3 as unknown as string } : { n, k: key }
    const id = observed.ids.get(n) ?? `e${n}`
    observed.ids.set(n, id)
    this.open++
    return bus
      .publish(contracts[event], body, {
        id,
        mandatory,
        timeout: intent.timeout,
        ...(more.delay !== undefined && { delay: more.delay })
      })
      .pipe(
        Effect.matchCause({
          onSuccess: ({ routed }): PublishOutcome => ({ _tag: "Confirmed", routed }),
          onFailure: (cause): PublishOutcome => {
            const [reason] = cause.reasons
            return reason?._tag === "Fail" ? { _tag: "Failed", reason: reason.error.reason._tag } : { _tag: "Unheard" }
          }
        }),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            this.open--
            this.ended(intent, Exit.isSuccess(exit) && life.alive ? exit.value : { _tag: "Unheard" })
          })
        ),
        Effect.asVoid
      )
  }

  publishAll({ bus, life }: Publisher, intents: ReadonlyArray<Intent>): Effect.Effect<void> {
    this.open++
    const event = intents[0]!.event
    return bus
      .publishAll(
        contracts[event],
        intents.map(({ key, n }) => ({ n, k: key })),
        { timeout: this.options.setup.publishTimeout }
      )
      .pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            this.open--
            const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
            const error = reason?._tag === "Fail" ? reason.error : undefined
            for (const [index, intent] of intents.entries()) {
              const failure = error?.failures.find((one) => one.index === index)
              if (!life.alive) this.ended(intent, { _tag: "Unheard" })
              else if (Exit.isSuccess(exit)) this.ended(intent, { _tag: "Confirmed", routed: undefined })
              else if (error === undefined) this.ended(intent, { _tag: "Unheard" })
              else if (failure !== undefined) this.ended(intent, { _tag: "Failed", reason: failure.error.reason._tag })
              else if (index >= error.next) this.ended(intent, { _tag: "NotReached" })
              else this.ended(intent, { _tag: "Confirmed", routed: undefined })
            }
          })
        ),
        Effect.exit,
        Effect.asVoid
      )
  }

  private ended(intent: Intent, outcome: PublishOutcome): void {
    const { observed } = this.options
    if (intent.outcome !== undefined) return observed.violate("P2", "its publish had two outcomes", intent.n)
    intent.outcome = outcome
    intent.outcomeAt = observed.now()
    const text =
      outcome._tag === "Failed"
        ? outcome.reason
        : outcome._tag === "Confirmed"
          ? `Confirmed, routed ${outcome.routed}`
          : outcome._tag
    observed.note(`its publish ends: ${text}`, intent.n)
  }
}
