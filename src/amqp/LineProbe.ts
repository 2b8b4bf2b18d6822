/**
 * What a connection tells of its health, and where it goes to.
 */
import type { BrokerFeatures } from "../bus/Broker.ts"
import type { Settings } from "./AmqpOptions.ts"
import type * as Connection from "./Connection.ts"

/** Telemetry names the address where there is one only. */
export const onlyServer = ({ servers }: Settings): BrokerFeatures["server"] => {
  const [only, ...others] = servers
  const [, address, port] = others.length === 0 ? (/^(.+):(\d+)$/.exec(only?.address ?? "") ?? []) : []
  return address === undefined ? undefined : { address, port: Number(port) }
}

export const check = (
  state: Connection.State
): { readonly status: "up" | "degraded" | "down"; readonly detail: string } => {
  switch (state._tag) {
    case "Up":
      return { status: "up", detail: `connected to ${state.link.address}, epoch ${state.link.epoch}` }
    case "Blocked":
      // Not down: it blocks every instance at once, consuming goes on and is what frees it, and publishes wait.
      return {
        status: "degraded",
        detail: `${state.link.address} blocks publishers (${state.detail}): publishes wait until RabbitMQ has memory and disk again`
      }
    case "Connecting":
      return { status: "down", detail: state.error?.message ?? "connecting" }
    case "Closed":
      return { status: "down", detail: "closed" }
  }
}
