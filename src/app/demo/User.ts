/** The user service: accounts, profiles and relations; an identity that was verified opens the account. */
import { Layer } from "effect"
import { AccountRegistered, IdentityVerified, StatusChanged, user } from "../../catalog/index.ts"
import type { Stage } from "./Stage.ts"

export const layer = ({ listen, say }: Stage) =>
  Layer.mergeAll(
    listen("user", "directory", { events: user.match("user.#"), ordering: "key" }),
    listen("user", "onboarding", { events: [AccountRegistered], concurrency: 4 }),
    listen("user", "verification", {
      events: [IdentityVerified],
      react: ({ data }) =>
        say(StatusChanged, { userId: data.userId, from: "unverified", to: "active", reason: "identity verified" })
    })
  )
