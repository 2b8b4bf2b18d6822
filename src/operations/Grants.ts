/** The users of RabbitMQ and Redis that a service needs, with no more rights than it uses. */
import * as Effect from "effect/Effect"
import type { Administrator, GrantedService } from "../bus/port/Administration.ts"
import type { BrokerError } from "../bus/port/BrokerError.ts"
import type * as Reports from "./GrantsReport.ts"

export interface GrantsOperation {
  /** Computed from the contracts; nothing is asked of a server, and nothing is changed. */
  readonly grants: (service: GrantedService) => Effect.Effect<typeof Reports.Grants.Type, BrokerError>
}

export const make = (administrator: Administrator["Service"]): GrantsOperation => {
  const { namespace } = administrator
  return {
    grants: (service) =>
      Effect.map(administrator.grants(service), (granted) => ({
        kind: "grants" as const,
        version: 1 as const,
        namespace,
        user: service.user,
        ...granted,
        notes: [
          "this user declares nothing that services share: declare it first, as another user, with eventbus topology apply",
          ...(service.subscribers.length === 0
            ? ["a user that only publishes declares nothing at all: set EVENTBUS_TOPOLOGY=verify"]
            : []),
          `the rights in Redis are for EVENTBUS_STATE_NAMESPACE=${granted.redis.stateNamespace}`,
          "grant again whenever the contracts change: what they do not name is denied"
        ]
      }))
  }
}
