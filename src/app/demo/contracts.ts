/**
 * The contracts module of the demo: the catalogue, which service publishes what, and the subscribers as the services
 * declare them. `npm run documents` writes the documents of it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Events } from "../../bus/subscriber/SubscriberOptions.ts"
import { academic, catalog, kyc, notification, social, user } from "../../catalog/index.ts"
import type * as Event from "../../event/Event.ts"
import * as AcademicService from "./AcademicService.ts"
import * as KycService from "./KycService.ts"
import * as NotificationService from "./NotificationService.ts"
import type { ServiceTools } from "./ServiceTools.ts"
import * as SocialService from "./SocialService.ts"
import * as UserService from "./UserService.ts"

export const contracts = catalog.events

export const publishes = { academic, kyc, notification, social, user }

interface Declared {
  readonly name: string
  readonly events: Events<Event.Any>
  readonly ordering: "none" | "key"
}

/** Filled by the services: their layers are made, and never built. */
export const subscribers: Array<Declared> = []

const tools: ServiceTools = {
  publish: () => Effect.void,
  subscribe: (service, topic, { events, ordering = "none" }) => {
    subscribers.push({ name: `${service}.${topic}`, events, ordering })
    return Layer.empty
  }
}

for (const { layer } of [AcademicService, KycService, NotificationService, SocialService, UserService]) layer(tools)
