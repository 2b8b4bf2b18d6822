/** The RabbitMQ adapter on a node of its own whose queues are full or deleted, and where starts are interrupted. Its cases are in `hardship/`. */
import { describeLive } from "../support/live.ts"
import { ownRabbit } from "../support/OwnRabbit.ts"
import { cutCases } from "./hardship/CutCases.ts"
import { healingCases } from "./hardship/HealingCases.ts"
import { renewalCase } from "./hardship/RenewalCases.ts"
import { stuckCases } from "./hardship/StuckCases.ts"
import { timeoutCases } from "./hardship/TimeoutCases.ts"

describeLive(
  "RabbitMQ under hardship",
  () => {
    const given = ownRabbit({}, (node) =>
      // A refused message is offered to the queue again after 180 seconds; here after one.
      node.eval("application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 1000).")
    )
    stuckCases(given)
    healingCases(given)
    timeoutCases(given)
    renewalCase(given)
    // Last: it counts what is open on the node.
    cutCases(given)
  },
  ["rabbitNode"]
)
