/** The rights that a look at live events needs, each tried in a way that leaves no trace. */
import type { Channel } from "amqplib"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { randomUUID } from "node:crypto"
import type { MissingRights } from "../../bus/port/Examination.ts"
import { quote } from "../../bus/support/Notes.ts"
import { type AmqpOptions, settle } from "../AmqpOptions.ts"
import * as Dial from "../connection/Dial.ts"
import * as Link from "../connection/Link.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as Topology from "../topology/Topology.ts"
import { type Answer, attempt, isDenied, mayBind, mayConfigure, mayRead, together } from "./Attempt.ts"

const none: MissingRights = { missing: [], mend: "" }

/** What cannot be tried counts as there: the error that led here says enough. */
export const look = (options: AmqpOptions, patience: number): Effect.Effect<MissingRights> => {
  const settled = settle(options)
  const [server] = Result.isSuccess(settled) ? settled.success.servers : []
  if (Result.isFailure(settled) || server === undefined) return Effect.succeed(none)
  const { success: settings } = settled
  const { namespace } = settings
  return Effect.gen(function* () {
    const connection = yield* Effect.acquireRelease(
      Dial.dial(server, settings, "rights", Math.min(2 * patience, settings.connectMillis), () => {}),
      Link.close,
      { interruptible: true }
    )
    const queue = `${namespace}.tmp.${randomUUID()}`
    const shared = [
      Topology.events(namespace),
      Ladder.deliverExchange(namespace),
      Topology.deadExchange(namespace),
      Topology.undeliverable(namespace)
    ]
    const questions: ReadonlyArray<readonly [string, (channel: Channel) => Promise<unknown>]> = [
      [`configure queue ${namespace}.tmp.*`, mayConfigure(queue)],
      [`read queue ${namespace}.tmp.*`, mayRead(queue)],
      ...shared.map((exchange) => [`read exchange ${exchange}`, mayBind(queue, exchange)] as const)
    ]
    const answers = yield* Effect.forEach(questions, ([, ask]) => attempt({ ...connection, patience }, ask), together)
    const missing = questions.flatMap(([right], at) => {
      const answer = answers[at]
      if (answer === undefined || !isDenied(answer)) return []
      // Binding needs a right to the queue, too, which RabbitMQ looks at first.
      return [isAbout(answer, queue) && right.startsWith("read exchange") ? `write queue ${namespace}.tmp.*` : right]
    })
    const own = `^${namespace}\\.tmp\\.`
    const reads = `${own}|^${namespace}\\.(events|delay\\.deliver|dead|undeliverable)$`
    const user = `-p ${quote(server.vhost)} ${quote(connection.username)}`
    return {
      missing: [...new Set(missing)],
      mend: `rabbitmqctl set_permissions ${user} ${[own, own, reads].map(quote).join(" ")}`
    }
  }).pipe(
    Effect.scoped,
    Effect.orElseSucceed(() => none)
  )
}

const isAbout = (answer: Answer<unknown>, queue: string): boolean =>
  answer._tag === "Refused" && answer.text.includes(queue)
