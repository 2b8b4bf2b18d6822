/** The social service: feeds, and a look at what is posted. */
import { Layer } from "effect"
import { PostCreated, social } from "../../catalog/index.ts"
import type { Stage } from "./Stage.ts"

export const layer = ({ listen }: Stage) =>
  Layer.mergeAll(
    listen("social", "feed", { events: social.match("social.#"), concurrency: 32 }),
    listen("social", "moderation", { events: [PostCreated], concurrency: 4 })
  )
