/** Help of `eventbus schema`. */
import * as Command from "effect/cli/Command"
import { lazily } from "../Root.ts"

export const schema = Command.make("schema", {}, () =>
  lazily(
    () => import("../commands/Schemas.ts"),
    ({ run }) => run
  )
).pipe(Command.withDescription("The JSON Schema of each report that --json writes, by command"))
