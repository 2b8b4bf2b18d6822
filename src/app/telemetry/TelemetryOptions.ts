/** The options of the telemetry layer. */
export interface TelemetryOptions {
  /** Name of the service if the environment gives none. Default: `EVENTBUS_SOURCE`. */
  readonly service?: string
  /** Address of the collector if the environment gives none, for example `http://collector:4318`. */
  readonly endpoint?: string
  /** Further attributes of the resource. `OTEL_RESOURCE_ATTRIBUTES` overrides them. */
  readonly attributes?: Readonly<Record<string, string>>
  /** What the console shows. Default: `"pretty"` on a terminal, otherwise `"json"`. */
  readonly logs?: "json" | "pretty" | "none"
  /** Further keys whose values are removed from logs, in addition to those whose names suggest a secret. */
  readonly redact?: ReadonlyArray<string>
}
