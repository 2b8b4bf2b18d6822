/** A RabbitMQ node of one suite: it starts before its tests and stops after them. */
import { afterAll, beforeAll } from "vitest"
import { type RabbitNode, type RabbitOptions, startRabbit } from "./RabbitNode.ts"

/** Returns the node, for tests and hooks of the suite. `prepare` runs once, before them. */
export const ownRabbit = (
  options: RabbitOptions = {},
  prepare: (node: RabbitNode) => Promise<unknown> = async () => {}
): (() => RabbitNode) => {
  let node: RabbitNode | undefined
  beforeAll(async () => {
    node = await startRabbit(options)
    await prepare(node)
  })
  afterAll(() => node?.stop())
  return () => {
    if (node === undefined) throw new Error("the node did not start")
    return node
  }
}

/** A node accepts connections a moment before rabbitmqctl may add a user. */
export const awaitStartup = (node: RabbitNode): Promise<unknown> => node.ctl("await_startup")
