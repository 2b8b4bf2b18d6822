/** The user service: accounts, profiles and relations. A verified identity activates the account. */
import * as Layer from "effect/Layer"
import { AccountRegistered, IdentityVerified, StatusChanged, user } from "../../catalog/index.ts"
import type { ServiceTools } from "./ServiceTools.ts"

export const layer = ({ publish, subscribe }: ServiceTools) =>
  Layer.mergeAll(
    subscribe("user", "directory", { events: user.match("user.#"), ordering: "key" }),
    subscribe("user", "onboarding", { events: [AccountRegistered], concurrency: 4 }),
    subscribe("user", "verification", {
      events: [IdentityVerified],
      onHandled: ({ data }) =>
        publish(StatusChanged, { userId: data.userId, from: "unverified", to: "active", reason: "identity verified" })
    })
  )
