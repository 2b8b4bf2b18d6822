/** The health checks of the RabbitMQ adapter, and the server that telemetry names. */
import * as Effect from "effect/Effect"
import type { BrokerFeatures, BrokerProbe } from "../../bus/port/Broker.ts"
import type { Settings } from "../AmqpOptions.ts"
import type { State } from "../connection/Connection.ts"
import type { LetterLosses } from "../consuming/LetterLosses.ts"
import type { Rights } from "../Declare.ts"
import type { LadderLevels } from "../publishing/LadderLevels.ts"
import type { DelayCanary } from "./DelayCanary.ts"

type Check = Effect.Success<BrokerProbe["check"]>

export interface Probed {
  readonly settings: Settings
  readonly rights: Rights
  readonly publishing: () => State
  /** Undefined while the consuming connection is not used. */
  readonly consuming: () => State | undefined
  readonly openChannels: () => number
  readonly lateAcks: () => number
  /** Undefined while the consuming connection is not used. */
  readonly canary: () => DelayCanary | undefined
  readonly levels: Pick<LadderLevels, "missing">
  readonly losses: LetterLosses
}

const unused: Check = { status: "up", detail: "not used" }

export const make = (probed: Probed): ReadonlyArray<BrokerProbe> => {
  const { canary, consuming, lateAcks, levels, losses, openChannels, publishing, rights, settings } = probed
  return [
    { name: "publish connection", check: Effect.sync(() => connection(publishing())) },
    {
      name: "consume connection",
      check: Effect.sync(() => {
        const state = consuming()
        return state === undefined ? unused : connection(state)
      })
    },
    {
      name: "publish channels",
      check: Effect.sync(() => ({
        status: openChannels() === settings.publishChannels ? "up" : "degraded",
        detail: `${openChannels()} of ${settings.publishChannels} open, ${lateAcks()} late acknowledgements`
      }))
    },
    {
      name: "topology",
      check: Effect.sync(() => ({ status: "up", detail: topology(rights) }))
    },
    {
      name: "delay ladder",
      check: Effect.suspend(() => withoutLevels(levels) ?? canary()?.check ?? Effect.succeed(unused))
    },
    losses.probe
  ]
}

/** Longer delays wait in several passes then, and delayed events are refused. */
const withoutLevels = (levels: Probed["levels"]): Effect.Effect<Check> | undefined => {
  const missing = levels.missing()
  if (missing === undefined) return undefined
  const { fault, names } = missing
  const detail = `this process cannot use ${names.join(", ")} (${fault.message}): longer retries wait in several passes, and delayed events that need it are not sent. eventbus topology apply --whole-ladder declares every level, as a user that may`
  return Effect.succeed({ status: "degraded", detail })
}

const topology = ({ mode, ownOnly }: Rights): string => {
  if (mode === "verify") return 'checked: everything exists, the arguments are not known (topology "verify")'
  return ownOnly
    ? "own objects declared with their arguments; what all services share is only checked, since this user may not declare it"
    : "declared with its arguments"
}

const connection = (state: State): Check => {
  switch (state._tag) {
    case "Up": {
      const silence = state.link.silence()
      if (silence !== undefined) return { status: "down", detail: silence }
      const fault = state.link.secret.fault()
      if (fault !== undefined) {
        const detail = `connected to ${state.link.address}, but its credentials could not be renewed (${fault}): it is refused when they end`
        return { status: "degraded", detail }
      }
      return { status: "up", detail: `connected to ${state.link.address}, epoch ${state.link.epoch}` }
    }
    case "Blocked":
      // Not down: it blocks every instance at once. Consuming goes on and frees memory, and publishes wait.
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

/** Undefined when there are several. */
export const onlyServer = ({ servers }: Settings): BrokerFeatures["server"] => {
  const [only, ...others] = servers
  const [, address, port] = others.length === 0 ? (/^(.+):(\d+)$/.exec(only?.address ?? "") ?? []) : []
  return address === undefined ? undefined : { address, port: Number(port) }
}
