/**
 * The system event that reports dead letters to other processes.
 */
import * as Event from "../../event/Event.ts"

/**
 * Published when an event was dead-lettered, with its id and the reason, never with its data. Each subscriber
 * causes at most ten a second; further dead letters of that second share one event, which has their count and
 * no ids.
 */
export const EventDeadLettered = Event.defineRuntime("bus.event.dead-lettered", 1, (Schema) =>
  Schema.Struct({
    subscriber: Schema.String,
    count: Schema.Int,
    reason: Schema.optionalKey(Schema.String),
    eventId: Schema.optionalKey(Schema.String),
    eventType: Schema.optionalKey(Schema.String),
    attempts: Schema.optionalKey(Schema.Int)
  })
)
export type Announcement = Event.Data<typeof EventDeadLettered>
