/**
 * Publishes events that an operator writes: one, or one a line. A contract judges them first, as it does in a service. Of
 * many lines each ends as confirmed, as refused with its number, or behind the line that the report names as the next.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { EventBus } from "../../bus/EventBus.ts"
import type { Broker } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import type { CacheStore } from "../../bus/port/CacheStore.ts"
import type { PublishOptions } from "../../bus/publish/PublishOptions.ts"
import { PublishError } from "../../bus/send/PublishError.ts"
import * as PublishReason from "../../bus/send/PublishReason.ts"
import { type Actor, CurrentActor } from "../../event/Actor.ts"
import type { EventDefinitionError, Fault } from "../../event/EventError.ts"
import { type OpenBus, type OpenCache, publishingBus } from "../Bus.ts"
import * as CountingBroker from "./CountingBroker.ts"
import { jsonLines, parse } from "./JsonLines.ts"
import { type ContractMissing, type ContractThere, InputFailed, RequestInvalid } from "../OperationsError.ts"
import { type Contract, contractOf, decode, type Wanted } from "./PublishData.ts"
import { PublishedLines } from "./PublishedLines.ts"
import type * as PublishReports from "../PublishReports.ts"

export interface PublishRequest extends Wanted {
  /** Sends them. Without it they are checked only, which needs no broker. */
  readonly apply: boolean
  /** `source` of the events. */
  readonly from: string
  readonly actor?: Actor | undefined
  /** The version of the data; the contract brings it to the newest. */
  readonly dataVersion?: number | undefined
  readonly options: PublishOptions
  /** One JSON value, or one a line. */
  readonly input:
    | { readonly _tag: "One"; readonly json: Buffer }
    | { readonly _tag: "Lines"; readonly bytes: AsyncIterable<Uint8Array> }
  /** Called for each event that is refused, in order. */
  readonly onRefused?: ((refusal: PublishReports.Refusal) => void) | undefined
  /** Follows what is confirmed, also when the operation is interrupted. */
  readonly tally?: CountingBroker.Tally | undefined
}

type PublishFailure =
  | BrokerError
  | PublishError
  | ContractMissing
  | ContractThere
  | EventDefinitionError
  | RequestInvalid
  | InputFailed

export interface PublishOperations {
  readonly publish: (request: PublishRequest) => Effect.Effect<typeof PublishReports.Publish.Type, PublishFailure>
}

export const make = (bus: OpenBus, cache: OpenCache): PublishOperations => ({
  publish: (request) => Effect.scoped(publish(bus, cache, request))
})

const publish = Effect.fnUntraced(function* (bus: OpenBus, cache: OpenCache, request: PublishRequest) {
  const { actor, apply, from, input, options } = request
  const contract = yield* Effect.fromResult(contractOf(request))
  if (input._tag === "Lines" && options.id !== undefined)
    return yield* new RequestInvalid({ problem: "--id names one event, and there are many lines: leave it out" })
  const tally = request.tally ?? { confirmed: 0, unrouted: 0 }
  const { broker, store } = yield* apply ? live(bus, cache) : dryRun
  const publisher = yield* publishingBus(CountingBroker.counting(broker, tally), store, from)
  const published: Effect.Effect<Published, PublishError | InputFailed> =
    input._tag === "One"
      ? publishOne(publisher, contract, request, input.json)
      : publishLines(publisher, contract, request, input.bytes)
  const rest = yield* actor === undefined ? published : Effect.provideService(published, CurrentActor, actor)
  return {
    kind: "publish" as const,
    version: 1 as const,
    event: request.event,
    dryRun: !apply,
    checked: request.unchecked === undefined,
    eventVersion: contract.version,
    confirmed: tally.confirmed,
    unrouted: apply ? tally.unrouted : 0,
    ...rest
  }
})

type Published = Pick<typeof PublishReports.Publish.Type, "id" | "refused" | "refusals" | "next">

const live = (bus: OpenBus, cache: OpenCache) =>
  Effect.map(
    Effect.all({ bus, store: cache }, { concurrency: "unbounded" }),
    ({ bus: { broker }, store }): Sending => ({ broker, store })
  )

interface Sending {
  readonly broker: Broker["Service"]
  readonly store: CacheStore["Service"] | undefined
}

const dryRun = Effect.map(CountingBroker.dry, (broker): Sending => ({ broker, store: undefined }))

const invalid = (event: string, id: string, faults: ReadonlyArray<Fault>): PublishError =>
  new PublishError({ event, id, reason: new PublishReason.Invalid({ faults }) })

/** What is wrong with one event is the error of the operation. */
const publishOne = Effect.fnUntraced(function* (
  publisher: EventBus["Service"],
  contract: Contract,
  { dataVersion, event, options }: PublishRequest,
  json: Buffer
) {
  const parsed = parse(json)
  const id = options.id ?? "-"
  if (Result.isFailure(parsed)) return yield* invalid(event, id, [{ path: "data", expected: parsed.failure }])
  const data = decode(contract, dataVersion, parsed.success)
  if (Result.isFailure(data)) return yield* invalid(event, id, data.failure)
  const confirmed = yield* publisher.publish(contract, data.success, options)
  return { id: confirmed.id, refused: 0, refusals: [], next: null }
})

const publishLines = Effect.fnUntraced(function* (
  publisher: EventBus["Service"],
  contract: Contract,
  { dataVersion, onRefused, options }: PublishRequest,
  bytes: AsyncIterable<Uint8Array>
) {
  const lines = new PublishedLines(jsonLines(bytes), (json) => decode(contract, dataVersion, json), onRefused)
  for (;;) {
    const outcome = yield* Effect.result(publisher.publishAll(contract, lines.begin(), options))
    if (Result.isSuccess(outcome)) return { id: null, ...lines.report(null) }
    const { cause, failures, next } = outcome.failure
    const [first] = failures
    // The options themselves are wrong.
    if (next === 0 && first !== undefined) return yield* first.error
    for (const { error, index } of failures) lines.failed(index, error)
    const line = lines.stopped(next)
    if (cause !== undefined)
      return yield* new InputFailed({ line, detail: cause instanceof Error ? cause.message : "it ended early" })
    // What is wrong with one event says nothing of the next; what is wrong with the broker does.
    if (failures.some(({ error }) => !isOwnFault(error))) return { id: null, ...lines.report(line) }
  }
})

const isOwnFault = ({ reason }: PublishError): boolean =>
  reason._tag === "Invalid" || (reason._tag === "Denied" && reason.by === "contract")
