/** All commands. A group of them has its options and help in `groups`, and what it does in `commands`. */
import * as Command from "effect/cli/Command"
import { contracts } from "./groups/Contracts.ts"
import { deadLetters } from "./groups/DeadLetters.ts"
import { doctor } from "./groups/Doctor.ts"
import { pause, ps, release, resume } from "./groups/Fleet.ts"
import { grants } from "./groups/Grants.ts"
import { history, last, tail, watch } from "./groups/Live.ts"
import { bench, load } from "./groups/Load.ts"
import { mcp } from "./groups/Mcp.ts"
import { outbox } from "./groups/Outbox.ts"
import { publish } from "./groups/Publish.ts"
import { schema } from "./groups/Schemas.ts"
import { topology } from "./groups/Topology.ts"
import { root } from "./Root.ts"

/** In the order in which help lists them. */
const looking = [doctor, ps, contracts, grants, tail, last, history, watch] as const
const acting = [publish, deadLetters, pause, resume, release, topology, outbox, load, bench] as const
const serving = [mcp, schema] as const

export const command = root.pipe(Command.withSubcommands([...looking, ...acting, ...serving]))
