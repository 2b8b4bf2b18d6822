/** What a node of the tests is and may take, by what it says itself. */
import { Effect } from "effect"
import type { RabbitNode } from "../../support/RabbitNode.ts"

/** Whether the node runs RabbitMQ 4.3 or later. */
export const isFrom43 = async (node: RabbitNode | undefined): Promise<boolean> => {
  const version = (await node?.eval("rabbit_misc:version().")) ?? ""
  const [major = 0, minor = 0] = version.match(/\d+/g)?.map(Number) ?? []
  return major > 4 || (major === 4 && minor >= 3)
}

/** The largest message that channels take which are opened until the scope ends. Versions read it from two places. */
export const maxMessageSize = Effect.fnUntraced(function* (node: RabbitNode, bytes: number) {
  const evaluate = (expression: string) => Effect.promise(() => node.eval(expression))
  const set = (to: string) =>
    evaluate(`application:set_env(rabbit, max_message_size, ${to}), persistent_term:put(max_message_size, ${to}).`)
  const before = yield* evaluate("{ok, Bytes} = application:get_env(rabbit, max_message_size), Bytes.")
  yield* Effect.acquireRelease(set(String(bytes)), () => set(before))
})
