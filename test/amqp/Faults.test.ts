/** The RabbitMQ adapter on a node of its own that is overloaded, cut off and killed. Its cases are in `faults/`. */
import { describeLive } from "../support/live.ts"
import { ownRabbit } from "../support/OwnRabbit.ts"
import { connectionCases } from "./faults/ConnectionCases.ts"
import { foreignCases } from "./faults/ForeignCases.ts"
import { ladderCases } from "./faults/LadderCases.ts"
import { readerCases } from "./faults/ReaderCases.ts"
import { receiverCases } from "./faults/ReceiverCases.ts"
import { senderCases } from "./faults/SenderCases.ts"

describeLive(
  "RabbitMQ with faults",
  () => {
    const given = ownRabbit()
    senderCases(given)
    receiverCases(given)
    foreignCases(given)
    readerCases(given)
    ladderCases(given)
    // Last: it blocks the node and closes what others have open.
    connectionCases(given)
  },
  ["rabbitNode"]
)
