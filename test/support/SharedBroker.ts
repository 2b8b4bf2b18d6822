/**
 * One broker that a whole run shares: offered at once, started when a suite waits for it.
 *
 * Its url is known before it runs (the port is chosen first), so that suites can be collected with it while nothing
 * has started.
 */
import { freePort } from "./Port.ts"
import { type Broker, findBroker, givenUrl } from "./provision.ts"

/** One thing that a suite may need, or why it is missing. */
export type Offer = { readonly url: string } | { readonly missing: string }

export interface BrokerOffers {
  /** The shared broker. */
  readonly shared: Offer
  /** Whether a suite can start nodes of its own; these have no url yet. */
  readonly own: Offer
}

/** Empty when the broker is up, else why it is not. */
export interface Started {
  readonly problem?: string
}

export interface SharedBroker {
  readonly offers: () => Promise<BrokerOffers>
  readonly started: () => Promise<Started>
  readonly stop: () => Promise<void>
}

export const sharedBroker = (options: {
  readonly broker: Broker
  /** Its url up to the port. */
  readonly urlPrefix: string
  readonly start: (options: { readonly port: number }) => Promise<{ readonly stop: () => Promise<void> }>
}): SharedBroker => {
  const { broker, start, urlPrefix } = options
  const given = givenUrl(broker)
  const find = async () => {
    if (process.env["EVENTBUS_NO_BROKERS"] === "1") throw new Error("EVENTBUS_NO_BROKERS is set")
    await findBroker(broker, { install: given === undefined })
    return freePort()
  }
  let found: ReturnType<typeof find> | undefined
  let node: ReturnType<typeof start> | undefined
  const port = (): Promise<number> => (found ??= find())
  return {
    offers: async () => {
      const own: Offer = await port().then(
        () => ({ url: "" }),
        (error: unknown) => ({ missing: messageOf(error) })
      )
      if (given !== undefined && process.env["EVENTBUS_NO_BROKERS"] !== "1") return { shared: { url: given }, own }
      return { shared: "missing" in own ? own : { url: `${urlPrefix}${await port()}` }, own }
    },
    started: async () => {
      if (given !== undefined) return {}
      node ??= port().then((port) => start({ port }))
      return node.then(
        () => ({}),
        (error: unknown) => ({ problem: messageOf(error) })
      )
    },
    stop: async () => {
      const running = await node?.catch(() => undefined) // a start that failed has cleaned up
      await running?.stop()
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
