/** Validates values by Standard Schemas, and makes faults of their issues that show nobody what he may not read. */
import * as Result from "effect/Result"
import { thrown } from "../DataCodec.ts"
import { bounded, type Fault, InvalidEvent } from "../EventError.ts"
import { unwantedBytes } from "../MediaData.ts"
import { Secrets } from "../sensitive/Secrets.ts"
import * as Sensitive from "../sensitive/Sensitive.ts"
import * as Later from "./Later.ts"
import type { Issue, StandardSchema, Validation } from "./StandardSchema.ts"

const maxFaults = 8

export class Validator {
  private readonly event: string
  private readonly sensitive: Sensitive.SensitiveSchema

  constructor(event: string, sensitive: Sensitive.SensitiveSchema) {
    this.event = event
    this.sensitive = sensitive
  }

  /** `isOwn` is whether the publisher of the value reads the faults. */
  run(schema: StandardSchema, version: number, value: unknown, isOwn: boolean): Later.Outcome<unknown> {
    const { event } = this
    // The error is dropped because it may quote the payload.
    const threw = (): Later.Outcome<unknown> => Result.fail(InvalidEvent.of(event, "data", thrown(version)))
    const read = (validation: Validation<unknown>): Later.Outcome<unknown> =>
      validation.issues === undefined
        ? Result.succeed(validation.value)
        : Result.fail(new InvalidEvent({ event, faults: this.faults(validation.issues, value, isOwn) }))
    try {
      return Later.of(event, schema["~standard"].validate(value), read, threw)
    } catch {
      return threw()
    }
  }

  /** Of bytes that no validator is asked about. */
  unwanted(): Later.Outcome<unknown> {
    return Result.fail(InvalidEvent.of(this.event, "data", unwantedBytes))
  }

  /** A place within the data. What is below a sensitive field is not named. */
  pathOf(keys: ReadonlyArray<PropertyKey>): string {
    const shown = Sensitive.sensitivePrefix(this.sensitive.paths, keys) ?? keys
    return bounded(["data", ...shown].map(String).join("."), 300)
  }

  /**
   * Libraries and their users quote the value in a message. Its publisher may read all of it that is not sensitive, and others
   * nothing of it.
   */
  private faults(issues: ReadonlyArray<Issue>, value: unknown, isOwn: boolean): ReadonlyArray<Fault> {
    const { sensitive } = this
    const secrets = new Secrets()
    const found = issues.slice(0, maxFaults).map(({ message, path = [] }) => ({
      keys: path.map((part) => (typeof part === "object" ? part.key : part)),
      message
    }))
    const shown = found.filter(({ keys }) => Sensitive.sensitivePrefix(sensitive.paths, keys) === undefined)
    if (isOwn && shown.length === found.length) Sensitive.collect(secrets, sensitive, value)
    else {
      // What the path shows, the message may say.
      const names = new Set([...sensitive.names, ...shown.flatMap(({ keys }) => keys.map(String))])
      Sensitive.collect(secrets, { ...sensitive, names, paths: [[]] }, value)
    }
    return found.length === 0
      ? [{ path: "data", expected: "expected a valid value" }]
      : found.map(({ keys, message }) => ({
          path: this.pathOf(keys),
          expected: bounded(secrets.hide(String(message)), 300)
        }))
  }
}
