/**
 * One publish from its submission to its outcome, which is told to its caller, the cache, the metrics, the
 * span and the log. An object of one class, since each event has one.
 */
import { type Clock, Duration, Exit, type Tracer } from "effect"
import type { Body } from "../event/Body.ts"
import type * as Event from "../event/Event.ts"
import type * as Log from "../observe/Log.ts"
import type * as Meters from "../observe/Meters.ts"
import type * as Trace from "../observe/Trace.ts"
import type { Outgoing } from "./Broker.ts"
import * as BusError from "./BusError.ts"
import type { CacheEntry } from "./CacheStore.ts"
import type { EventCache } from "./EventCache.ts"
import type { Result, Shipment } from "./Outbox.ts"
import type { Confirmed, PublishOptions } from "./PublishOptions.ts"

/** What a cache is told. A class and no literal, as `Message` says. */
class Written implements CacheEntry {
  readonly event: string
  readonly key: string
  readonly id: string
  readonly time: number
  readonly body: Body
  readonly settings: Event.CacheSettings

  constructor(event: string, key: string, id: string, time: number, body: Body, settings: Event.CacheSettings) {
    this.event = event
    this.key = key
    this.id = id
    this.time = time
    this.body = body
    this.settings = settings
  }
}

export type Resume = (outcome: Exit.Exit<Confirmed, BusError.PublishError>) => void

/** What those of one bus have in common. */
export const make = (around: {
  readonly cache: EventCache["Service"]
  readonly clock: Clock.Clock
  /** Milliseconds. */
  readonly defaultTimeout: number
  readonly log: Log.Log
  readonly stopwatch: () => number
  readonly trace: Trace.Trace
}) => {
  const { cache, clock, defaultTimeout, log, stopwatch, trace } = around

  const failed = (
    event: Event.Any,
    id: string,
    reason: BusError.PublishReason,
    metrics: Meters.PublisherMetrics,
    began: number
  ): Exit.Exit<never, BusError.PublishError> => {
    metrics.failed(reason._tag, stopwatch() - began)
    // Ids come from outside of TypeScript too.
    return Exit.fail(new BusError.PublishError({ event: String(event.name), id: String(id), reason }))
  }

  class Publication implements Shipment {
    readonly message: Outgoing
    readonly bytes: number
    readonly mandatory: boolean
    readonly deadline: number
    readonly privileged: boolean
    readonly event: Event.Any
    readonly metrics: Meters.PublisherMetrics
    readonly began: number
    readonly span: Tracer.Span | undefined
    readonly traced: Tracer.AnySpan | undefined
    readonly resume: Resume

    constructor(
      message: Outgoing,
      bytes: number,
      options: PublishOptions,
      privileged: boolean,
      event: Event.Any,
      metrics: Meters.PublisherMetrics,
      began: number,
      span: Tracer.Span | undefined,
      traced: Tracer.AnySpan | undefined,
      resume: Resume
    ) {
      const { timeout } = options
      this.message = message
      this.bytes = bytes
      this.mandatory = options.mandatory === true
      this.deadline =
        message.properties.timestamp + (timeout === undefined ? defaultTimeout : Duration.toMillis(timeout))
      this.privileged = privileged
      this.event = event
      this.metrics = metrics
      this.began = began
      this.span = span
      this.traced = traced
      this.resume = resume
    }

    done(shipped: Result): void {
      if (shipped._tag === "Failed") return this.fail(shipped.reason)
      const { event, message, span } = this
      const { messageId: id, timestamp: time } = message.properties
      this.metrics.confirmed(shipped.routed, stopwatch() - this.began)
      const isDelayed = message.to._tag === "DelayedEvent"
      if (event.cache !== false && !isDelayed) {
        cache.store.write(new Written(event.name, message.key ?? "", id, time, message.body, event.cache))
      }
      if (log.debugEnabled)
        log.debug("published", {
          event: event.name,
          id,
          routed: shipped.routed,
          millis: clock.currentTimeMillisUnsafe() - time,
          span: this.traced
        })
      const exit = Exit.succeed<Confirmed>({ id, routed: isDelayed ? "later" : shipped.routed })
      if (span !== undefined) trace.end(span, exit, undefined)
      this.resume(exit)
    }

    fail(reason: BusError.PublishReason): void {
      const { event, span, traced } = this
      const { messageId: id } = this.message.properties
      const exit = failed(event, id, reason, this.metrics, this.began)
      trace.end(span, exit, reason._tag)
      log.warning("publish failed", {
        event: event.name,
        id,
        reason: reason._tag,
        detail: reason.message,
        span: traced
      })
      this.resume(exit)
    }
  }

  return { failed, Publication }
}
