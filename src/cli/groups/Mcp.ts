/** Options and help of `eventbus mcp`. */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { lazily, root } from "../Root.ts"

export const mcp = Command.make("mcp", {}, () =>
  Effect.flatMap(root, (flags) =>
    lazily(
      () => import("../commands/Mcp.ts"),
      ({ run }) => run(flags)
    )
  )
).pipe(
  Command.withDescription(
    "Serves the looks and dry runs as tools of the Model Context Protocol, on standard input and output. No tool changes anything."
  ),
  Command.withShortDescription("Let an assistant look, by the Model Context Protocol")
)
