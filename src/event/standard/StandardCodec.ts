/**
 * Encodes and decodes the data of an event by Standard Schemas, alone or beside versions with schemas of Effect.
 *
 * A Standard Schema validates in one direction: from its input to its output. So the input is on the wire, as JSON. A publish
 * validates it and sends it, without the fields that change nothing in the output; a subscriber validates what came, and its
 * handler gets the output. What a transform makes is made anew by each of them.
 */
import * as Result from "effect/Result"
import { isDeepStrictEqual } from "node:util"
import * as DataCodec from "../DataCodec.ts"
import { InvalidEvent, UnknownVersion } from "../EventError.ts"
import * as Json from "../Json.ts"
import * as Limits from "../Limits.ts"
import { modules } from "../SchemaModule.ts"
import * as Sensitive from "../sensitive/Sensitive.ts"
import * as Later from "./Later.ts"
import { type AnySchema, type DataSchema, isEffectSchema, type StandardSchema } from "./StandardSchema.ts"
import { Validator } from "./Validator.ts"
import * as WireJson from "./WireJson.ts"

type Outcome = Later.Outcome<unknown>

/** A version of either kind of schema. */
interface Version {
  readonly prepare: () => void
  /** From its JSON. */
  readonly read: (json: unknown) => Outcome
  /** From what the upcaster of the version before it returned. */
  readonly accept: (value: unknown) => Outcome
  readonly up: ((data: unknown) => unknown) | undefined
}

/** Data on its way up to the newest version. */
interface Step {
  /** What the schema of this version took. */
  readonly input: unknown
  readonly output: unknown
}

/** `sensitive` are paths in the data, where the newest schema is a Standard Schema: it has no marks. */
export const make = (
  name: string,
  version: number,
  data: AnySchema,
  previous: ReadonlyArray<DataCodec.PreviousVersion>,
  sensitive: ReadonlyArray<string>
): DataCodec.DataCodec => {
  const schemas = [...previous, { version, data, up: undefined }]
  const marks = Sensitive.union([
    Sensitive.ofPaths(sensitive),
    ...schemas.flatMap((one) => (isEffectSchema(one.data) ? [Sensitive.ofSchema(one.data.ast)] : []))
  ])
  const validator = new Validator(name, marks)
  const versions = new Map(
    schemas.map((one): [number, Version] => {
      const own = isEffectSchema(one.data)
        ? ofEffect(name, one.version, one.data)
        : ofStandard(validator, one.version, one.data)
      return [one.version, { ...own, up: one.up }]
    })
  )
  const steps = new Steps(name, version, versions)
  const base = {
    mayBeLater: true,
    prepare: () => {
      for (const one of versions.values()) one.prepare()
    },
    decode: (from: number, json: unknown) => steps.climb(from, json, ({ output }) => output),
    ...DataCodec.hiding(marks)
  }
  if (isEffectSchema(data)) return { ...DataCodec.make(name, version, data, []), ...base, toInput: base.decode }
  const validate = (input: unknown) => validated(name, validator, version, data, input)
  return {
    ...base,
    isOpen: true,
    validate,
    encode: (input) =>
      Later.whenKnown(name, validate(input), (known) => Result.map(known, ({ json }) => json)) as Result.Result<
        unknown,
        InvalidEvent
      >,
    toInput: (from, json) => steps.climb(from, json, ({ input }) => input)
  }
}

const ofEffect = (event: string, version: number, schema: DataSchema): Omit<Version, "up"> => {
  const { decode, prepare } = DataCodec.make(event, version, schema, [])
  return {
    prepare,
    read: (json) => decode(version, json),
    accept: (value) =>
      modules().SchemaParser.is(schema)(value)
        ? Result.succeed(value)
        : Result.fail(InvalidEvent.of(event, "data", "expected a value of its schema"))
  }
}

const ofStandard = (validator: Validator, version: number, schema: StandardSchema): Omit<Version, "up"> => {
  const accept = (value: unknown): Outcome => validator.run(schema, version, value, false)
  return {
    prepare: () => {},
    read: (json) => (json instanceof Uint8Array ? validator.unwanted() : accept(json)),
    accept
  }
}

/** The versions of an event, and the way from each of them to the newest. */
class Steps {
  private readonly event: string
  private readonly newest: number
  private readonly versions: ReadonlyMap<number, Version>

  constructor(event: string, newest: number, versions: ReadonlyMap<number, Version>) {
    this.event = event
    this.newest = newest
    this.versions = versions
  }

  climb(from: number, json: unknown, pick: (step: Step) => unknown): Outcome {
    const { event, newest, versions } = this
    if (from > newest) return Result.fail(new UnknownVersion({ event, version: from, known: newest }))
    const start = versions.get(from)
    if (start === undefined) {
      return Result.fail(
        InvalidEvent.of(event, "dataschema", `version ${from} is unknown, known are ${[...versions.keys()]}`)
      )
    }
    let outcome = this.stepTo(json, start.read(json))
    for (let at = from; at < newest; at++) {
      outcome = Later.whenKnown(event, outcome, (known) =>
        Result.isSuccess(known) ? this.upcast(from, at, known.success.output) : known
      )
    }
    return Later.whenKnown(event, outcome, (known) => Result.map(known, pick))
  }

  private stepTo(input: unknown, outcome: Outcome): Later.Outcome<Step> {
    return Later.whenKnown(this.event, outcome, (known) => Result.map(known, (output) => ({ input, output })))
  }

  private upcast(from: number, at: number, value: unknown): Later.Outcome<Step> {
    const { event, versions } = this
    let input: unknown
    try {
      input = versions.get(at)?.up?.(value)
    } catch {
      // An error from an upcaster may quote the payload, so it is not included.
      return Result.fail(InvalidEvent.of(event, "data", `the upcaster of version ${at} failed`))
    }
    const accepted = versions.get(at + 1)?.accept(input) ?? Result.succeed(input)
    return Later.whenKnown(event, this.stepTo(input, accepted), (known) =>
      Result.isFailure(known) && known.failure._tag === "InvalidEvent"
        ? Result.fail(notTaken(known.failure, from, at + 1))
        : known
    )
  }
}

const notTaken = ({ event, faults }: InvalidEvent, from: number, to: number): InvalidEvent =>
  new InvalidEvent({
    event,
    faults: faults.map(({ expected, path }) => ({
      path,
      expected: `upcasting version ${from} gave data that version ${to} does not accept: ${expected}`
    }))
  })

/** Validates the data of a publish. What is sent is what a subscriber will validate in the same way. */
const validated = (
  event: string,
  validator: Validator,
  version: number,
  schema: StandardSchema,
  data: unknown
): Later.Outcome<Later.Validated> => {
  const { depth } = Limits.defaults
  const written = WireJson.of(data, depth)
  if (!("json" in written)) {
    const expected = written.isTooDeep ? `the data nests deeper than ${depth} levels` : notJson
    return Result.fail(InvalidEvent.of(event, validator.pathOf(written.at), expected))
  }
  const { json } = written
  return Later.whenKnown(event, validator.run(schema, version, json, true), (known) => {
    if (Result.isFailure(known)) return Result.fail(known.failure)
    const output = known.success
    const less = WireJson.pruned(json, output)
    if (less === json) return Result.succeed({ json, output })
    return Later.whenKnown(event, validator.run(schema, version, less, true), (again) => {
      // A transform may read a field that is not in its output: then all of the input is sent.
      const isSame = Result.isSuccess(again) && isDeepStrictEqual(again.success, output)
      return Result.succeed({ json: isSame ? less : json, output })
    })
  })
}

const notJson = `${Json.notJsonText}. The input of a Standard Schema is what is sent: give a Date as its text, for example`
