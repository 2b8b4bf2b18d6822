/** The RabbitMQ adapter on a node of its own, which is overloaded, cut off, killed and lied to. */
import { afterAll, beforeAll } from "vitest"
import { describeLive } from "../support/live.ts"
import { type RabbitNode, startRabbit } from "../support/RabbitNode.ts"
import { connectionCases } from "./ConnectionCases.ts"
import { ladderCases } from "./LadderCases.ts"
import { receiverCases } from "./ReceiverCases.ts"
import { senderCases } from "./SenderCases.ts"

describeLive(
  "RabbitMQ with faults",
  () => {
    let node: RabbitNode | undefined
    beforeAll(async () => void (node = await startRabbit()))
    afterAll(() => node?.stop())
    const given = (): RabbitNode => {
      if (node === undefined) throw new Error("the node did not start")
      return node
    }
    senderCases(given)
    receiverCases(given)
    ladderCases(given)
    // Last: it blocks the node and closes what others have open.
    connectionCases(given)
  },
  ["rabbitNode"]
)
