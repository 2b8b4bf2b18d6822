/** The log of a bus of Promises: where entries go, and from which level on. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import * as Kinds from "../../event/options/OptionKinds.ts"
import { effectLevels, type EntryLevel, levels, type LogTarget } from "../telemetry/LogEntry.ts"

export interface LoggerOptions {
  /** The lowest level that is written. At `"debug"` there is an entry for each publish. Default `"info"`. */
  readonly level?: EntryLevel
  /** Default: `"pretty"` on a terminal, otherwise `"json"`. */
  readonly to?: LogTarget
  /** Further keys whose values are removed, in addition to those whose names suggest a secret. */
  readonly redact?: ReadonlyArray<string>
}

/** A target alone has the other options at their defaults. */
export type PromiseLogger = LogTarget | LoggerOptions

const target: Kinds.Kind = Kinds.or(Kinds.oneOf("json", "pretty", "none"), "a function", Kinds.func.holds)

const fields: Kinds.Kinds = {
  level: Kinds.oneOf(...levels),
  to: target,
  redact: Kinds.listOf(Kinds.text, "a list of keys")
} satisfies Kinds.KindsOf<LoggerOptions>

export const kind: Kinds.Kind = {
  ...Kinds.or(target, "an object with level, to, redact", Predicate.isObject),
  fields
}

/** Runs this layer with such a log. Without the option, the log is that of Effect's defaults. */
export const around =
  (logger: PromiseLogger | undefined) =>
  <A, E, R>(bus: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
    logger === undefined ? bus : Layer.provideMerge(bus, layerOf(Predicate.isObject(logger) ? logger : { to: logger }))

const layerOf = ({ level = "info", redact, to = process.stdout.isTTY ? "pretty" : "json" }: LoggerOptions) =>
  Layer.merge(
    Layer.succeed(References.MinimumLogLevel, to === "none" ? "None" : effectLevels[level]),
    Layer.unwrap(
      Effect.map(
        Effect.promise(() =>
          Promise.all([import("../telemetry/EntryLogger.ts"), import("../../observe/Redaction.ts")])
        ),
        ([loggers, redaction]) => Logger.layer(loggers.of(to, redaction.make(redact)))
      )
    )
  )
