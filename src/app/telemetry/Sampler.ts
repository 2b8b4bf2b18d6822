/**
 * Decides which traces are kept: the samplers that OpenTelemetry defines for `OTEL_TRACES_SAMPLER`
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). By default the caller's
 * decision holds, and a trace that begins here is kept.
 */
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { randomUUID } from "node:crypto"

/** Whether a span with this parent, in the trace with this id, is kept. */
export type Sampler = (parent: Tracer.AnySpan | undefined, traceId: () => string) => boolean

const always: Sampler = () => true
const never: Sampler = () => false
/** By the id of the trace, so that every service decides alike. */
const ratio =
  (share: number): Sampler =>
  (_, traceId) => {
    const id = traceId()
    let folded = 0
    for (let at = 0; at < 32; at += 8) folded = (folded ^ Number.parseInt(id.slice(at, at + 8), 16)) >>> 0
    return folded < Math.floor(share * 0xff_ff_ff_ff)
  }
/** By chance: services further down read the decision from the trace context. */
const chance =
  (share: number): Sampler =>
  () =>
    Number.parseInt(randomUUID().slice(0, 8), 16) < share * 0x1_00_00_00_00
const parentBased =
  (root: Sampler): Sampler =>
  (parent, traceId) =>
    parent === undefined ? root(parent, traceId) : parent.sampled

export const named = (
  name: string | undefined,
  argument: string | undefined
): { readonly sampler: Sampler; readonly fault?: string } => {
  const kind = name?.toLowerCase() ?? "parentbased_always_on"
  switch (kind) {
    case "always_on":
      return { sampler: always }
    case "always_off":
      return { sampler: never }
    case "parentbased_always_on":
      return { sampler: parentBased(always) }
    case "parentbased_always_off":
      return { sampler: parentBased(never) }
    case "traceidratio":
    case "parentbased_traceidratio": {
      const share = argument === undefined ? 1 : Number(argument)
      const valid = share >= 0 && share <= 1
      const sampled = (partial: (share: number) => Sampler): Sampler =>
        share === 1 || !valid ? always : share === 0 ? never : partial(share)
      return {
        sampler: kind === "traceidratio" ? sampled(ratio) : parentBased(sampled(chance)),
        ...(!valid && {
          fault: `OTEL_TRACES_SAMPLER_ARG is not understood: expected a number from 0 to 1, not ${JSON.stringify(argument)}`
        })
      }
    }
    default:
      return {
        sampler: parentBased(always),
        fault: `OTEL_TRACES_SAMPLER is not understood: expected always_on, always_off, traceidratio, or one of them with parentbased_ before it, not ${JSON.stringify(name)}`
      }
  }
}

/** A tracer that makes spans only for traces that the sampler keeps; the rest costs next to nothing. */
export const applyTo = (tracer: Tracer.Tracer, sampler: Sampler): Tracer.Tracer =>
  Tracer.make({
    ...(tracer.context !== undefined && { context: tracer.context.bind(tracer) }),
    span: (options) => {
      const parent = Option.getOrUndefined(options.parent)
      // A trace that begins here has no id before its span is made.
      let made: Tracer.Span | undefined
      const make = (): Tracer.Span => (made ??= tracer.span({ ...options, sampled: true }))
      const kept = sampler(parent, () => parent?.traceId ?? make().traceId)
      return kept ? make() : unsampledSpan(options, parent ?? made ?? freshIds())
    }
  })

type Ids = Pick<Tracer.AnySpan, "spanId" | "traceId">

/** Ids of a trace that is not kept. */
const freshIds = (): Ids => {
  const traceId = randomUUID().replaceAll("-", "")
  return { traceId, spanId: traceId.slice(16) }
}

const nothing = (): void => {}
const noAttributes: ReadonlyMap<string, unknown> = new Map()

/** Carries the decision downstream and records nothing. */
const unsampledSpan = (options: Parameters<Tracer.Tracer["span"]>[0], { spanId, traceId }: Ids): Tracer.Span => ({
  _tag: "Span",
  name: options.name,
  traceId,
  spanId,
  parent: options.parent,
  annotations: Context.empty(),
  status: { _tag: "Started", startTime: options.startTime },
  attributes: noAttributes,
  links: [],
  sampled: false,
  kind: options.kind,
  end: nothing,
  attribute: nothing,
  event: nothing,
  addLinks: nothing
})
