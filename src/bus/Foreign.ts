/**
 * Events of other systems on the same broker: consume from their queues and exchanges, with contracts, retries, dead letters
 * and replay as for every event, without changing anything of theirs.
 */
export {
  exchange,
  type ExchangeBinding,
  type ForeignEvents as Events,
  type ForeignOptions as Options,
  queue
} from "./subscriber/ForeignEvents.ts"
export {
  type EventToWrite,
  type ForeignCodec as Codec,
  type ForeignEvent as EventRead,
  type ForeignMessage as Message,
  unreadable,
  type Unreadable,
  type WrittenMessage
} from "../event/foreign/ForeignCodec.ts"
export {
  bytes,
  cloudEvents,
  json,
  type CodecOptions,
  massTransit,
  type MassTransitOptions,
  nest,
  type NestOptions
} from "../event/foreign/Codecs.ts"
export { type ForeignPublishOptions as PublishOptions, publish, type Target } from "./ForeignPublish.ts"
