/** The adapters by name; each is loaded only in the process that runs it. */
import type { Peer } from "./Peer.ts"
import type { Variant } from "./ours.ts"

export const peerNames = [
  "raw",
  "raw-nodelay",
  "ours",
  "rabbitmq-client",
  "amqp-connection-manager",
  "cloudamqp",
  "golevelup",
  "rascal"
] as const
export type PeerName = (typeof peerNames)[number]

export const load = async (name: string, variant: Variant): Promise<Peer> => {
  switch (name) {
    case "raw":
      return (await import("./raw.ts")).peer
    case "raw-nodelay":
      return (await import("./raw.ts")).noDelay
    case "ours":
      return (await import("./ours.ts")).make(variant)
    case "rabbitmq-client":
      return (await import("./rabbitmq-client.ts")).peer
    case "amqp-connection-manager":
      return (await import("./amqp-connection-manager.ts")).peer
    case "cloudamqp":
      return (await import("./cloudamqp.ts")).peer
    case "golevelup":
      return (await import("./golevelup.ts")).peer
    case "rascal":
      return (await import("./rascal.ts")).peer
    default:
      throw new Error(`there is no peer ${name}`)
  }
}
