/** From JSON to the data of an event, by its contract. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Event from "../../event/Event.ts"
import { EventDefinitionError, type Fault } from "../../event/EventError.ts"
import { ContractMissing, ContractThere } from "../OperationsError.ts"

export interface Wanted {
  readonly event: string
  readonly contracts: ReadonlyMap<string, Event.Any>
  /** Sends data without a contract, as data of this version. */
  readonly unchecked?: number | undefined
}

/** Any contract, as one of unknown data. */
export type Contract = Event.Event<string, unknown>

/** The contract of an event. Without one it takes the word of the caller for what is sent, and nothing less. */
export const contractOf = ({
  contracts,
  event,
  unchecked
}: Wanted): Result.Result<Contract, ContractMissing | ContractThere | EventDefinitionError> => {
  const known = contracts.get(event)
  if (known !== undefined)
    return unchecked === undefined ? Result.succeed(known) : Result.fail(new ContractThere({ event }))
  if (unchecked === undefined)
    return Result.fail(new ContractMissing({ event, known: [...contracts.keys()].slice(0, 10) }))
  return Result.try({
    // What it is keyed by is not known, so nothing of it is remembered.
    try: () => define(event, unchecked),
    catch: (error) =>
      error instanceof EventDefinitionError
        ? error
        : new EventDefinitionError({ event, problem: "it cannot be defined", remedy: "Give it a contract" })
  })
}

const define = (event: string, version: number): Contract => {
  if (event === "bus" || event.startsWith("bus.")) return Event.make(event, { version: 1, data: Schema.Unknown })
  return Event.define(event, {
    version,
    data: Schema.Unknown,
    cache: false,
    previous: Array.from({ length: Math.max(0, version - 1) }, (_, i) => ({
      version: i + 1,
      data: Schema.Unknown,
      up: (data: unknown) => data
    }))
  })
}

/**
 * The data that a publish takes, from its JSON of this version, or of the newest. A field that the contract does not know would be
 * dropped without a word, so it is a fault.
 */
export const decode = (
  contract: Contract,
  version: number | undefined,
  json: unknown
): Result.Result<unknown, ReadonlyArray<Fault>> => {
  const decoded = contract.dataCodec.toInput(version ?? contract.version, json)
  if (Result.isFailure(decoded)) {
    const { failure } = decoded
    return Result.fail(
      failure._tag === "InvalidEvent" ? failure.faults : [{ path: "version", expected: failure.message }]
    )
  }
  if (version !== undefined && version !== contract.version) return Result.succeed(decoded.success)
  const encoded = contract.dataCodec.encode(decoded.success)
  if (Result.isFailure(encoded)) return Result.fail(encoded.failure.faults)
  const at = unknownAt(json, encoded.success)
  return at === undefined
    ? Result.succeed(decoded.success)
    : Result.fail([
        { path: ["data", ...at].join("."), expected: `version ${contract.version} of the contract has no such field` }
      ])
}

/** Where the JSON has a field that its encoding has not. Null may stand for an absent value. */
const unknownAt = (json: unknown, encoded: unknown): ReadonlyArray<string> | undefined => {
  if (!Predicate.isObjectOrArray(json) || !Predicate.isObjectOrArray(encoded)) return undefined
  for (const [name, value] of Object.entries(json)) {
    if (!Object.hasOwn(encoded, name)) {
      if (value === null) continue
      return [name]
    }
    const at = unknownAt(value, Reflect.get(encoded, name))
    if (at !== undefined) return [name, ...at]
  }
  return undefined
}
