/** All commands. A group of them has its options and help in `groups`, and what it does in `commands`. */
import * as Command from "effect/cli/Command"
import { contracts } from "./groups/Contracts.ts"
import { deadLetters } from "./groups/DeadLetters.ts"
import { doctor } from "./groups/Doctor.ts"
import { mcp } from "./groups/Mcp.ts"
import { outbox } from "./groups/Outbox.ts"
import { schema } from "./groups/Schemas.ts"
import { topology } from "./groups/Topology.ts"
import { root } from "./Root.ts"

export const command = root.pipe(
  Command.withSubcommands([doctor, contracts, deadLetters, topology, outbox, mcp, schema])
)
