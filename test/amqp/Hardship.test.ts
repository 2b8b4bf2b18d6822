/** The RabbitMQ adapter on a node of its own, whose queues are full, deleted and refused, and where starts are cut short. */
import { afterAll, beforeAll } from "vitest"
import { describeLive } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { cutCases } from "./CutCases.ts"
import { healingCases } from "./HealingCases.ts"
import { renewalCase } from "./RenewalCase.ts"
import { stuckCases } from "./StuckCases.ts"

describeLive(
  "RabbitMQ under hardship",
  () => {
    let node: RabbitNode | undefined
    beforeAll(async () => {
      node = await startRabbit()
      // What a queue refused is offered to it again after 180 seconds; here after one.
      await node.ctl("eval", "application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 1000).")
    })
    afterAll(() => node?.stop())
    const given = (): RabbitNode => {
      if (node === undefined) throw new Error("the node did not start")
      return node
    }
    stuckCases(given)
    healingCases(given)
    renewalCase(given)
    // Last: it counts what is open on the node.
    cutCases(given)
  },
  ["rabbitNode"]
)
