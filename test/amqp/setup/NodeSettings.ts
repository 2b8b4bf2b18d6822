/** What a node of the tests is and may take, by what it says itself. */
import { Effect } from "effect"
import type { RabbitNode } from "../../support/RabbitNode.ts"

/** Major and minor version, as one number: 403 for 4.3.6. */
const versionOf = async (node: RabbitNode | undefined): Promise<number> => {
  const version = (await node?.eval("rabbit_misc:version().")) ?? ""
  const [major = 0, minor = 0] = version.match(/\d+/g)?.map(Number) ?? []
  return 100 * major + minor
}

/** Whether the node runs RabbitMQ 4.3 or later. */
export const isFrom43 = async (node: RabbitNode | undefined): Promise<boolean> => (await versionOf(node)) >= 403

/** Whether the first look at a letter of its queues may cost the letter a life: RabbitMQ 4 up to 4.3. */
export const isLookCounted = async (node: RabbitNode | undefined): Promise<boolean> => {
  const version = await versionOf(node)
  return version >= 400 && version < 403
}

/** The largest message that channels take which are opened until the scope ends. Versions read it from two places. */
export const maxMessageSize = Effect.fnUntraced(function* (node: RabbitNode, bytes: number) {
  const evaluate = (expression: string) => Effect.promise(() => node.eval(expression))
  const set = (to: string) =>
    evaluate(`application:set_env(rabbit, max_message_size, ${to}), persistent_term:put(max_message_size, ${to}).`)
  const before = yield* evaluate("{ok, Bytes} = application:get_env(rabbit, max_message_size), Bytes.")
  yield* Effect.acquireRelease(set(String(bytes)), () => set(before))
})
