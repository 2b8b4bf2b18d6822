/**
 * A namespace that is made for a measurement and taken away again. Nothing else is ever deleted: only names of this form are,
 * which no service has.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { randomBytes } from "node:crypto"
import { type AmqpOptions, settle } from "../AmqpOptions.ts"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import * as Dial from "../connection/Dial.ts"
import * as Link from "../connection/Link.ts"
import * as Topology from "../topology/Topology.ts"
import { attempt } from "./Attempt.ts"

const form = /^eventbus-load-[0-9a-f]{8}$/

export const fresh = (): string => `eventbus-load-${randomBytes(4).toString("hex")}`

/** Deletes its queues and exchanges, with those of these subscribers. Returns whether all of them are gone. */
export const remove = (
  options: AmqpOptions,
  subscribers: ReadonlyArray<string>,
  patience: number
): Effect.Effect<boolean> => {
  const settled = settle(options)
  if (Result.isFailure(settled) || !form.test(options.namespace)) return Effect.succeed(false)
  const { success: settings } = settled
  const { namespace } = options
  const objects = [
    ...Topology.upperLevels(namespace),
    ...Topology.shared(namespace),
    ...Topology.canaries(namespace),
    ...subscribers.flatMap((name) => Topology.subscriber(namespace, { name, ordering: "none", patterns: [] }))
  ].filter(({ verify }) => verify !== undefined)
  const tryOn = (server: (typeof settings.servers)[number]) =>
    Effect.gen(function* () {
      const connection = yield* Effect.acquireRelease(
        Dial.dial(server, settings, "remove", settings.connectMillis, () => {}),
        Link.close,
        { interruptible: true }
      )
      const answer = yield* attempt({ ...connection, patience }, (channel) => {
        AmqplibInternals.pipelineCalls(channel)
        return Promise.all(
          objects.map(({ entity }) => {
            const [kind, name = ""] = entity.split(" ")
            return kind === "queue" ? channel.deleteQueue(name) : channel.deleteExchange(name)
          })
        )
      })
      return answer._tag === "Done"
    }).pipe(Effect.scoped)
  return Effect.firstSuccessOf(settings.servers.map(tryOn)).pipe(Effect.orElseSucceed(() => false))
}
