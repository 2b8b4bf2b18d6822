/** The social service: feeds, and moderation of new posts. */
import * as Layer from "effect/Layer"
import { PostCreated, social } from "../../catalog/index.ts"
import type { ServiceTools } from "./ServiceTools.ts"

export const layer = ({ subscribe }: ServiceTools) =>
  Layer.mergeAll(
    subscribe("social", "feed", { events: social.match("social.#"), concurrency: 32 }),
    subscribe("social", "moderation", { events: [PostCreated], concurrency: 4 })
  )
