/** `eventbus mcp` */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as McpServer from "../../mcp/Server.ts"
import { Operations } from "../../operations/Operations.ts"
import { version } from "../Root.ts"
import { type Common, run as withSession } from "../Session.ts"
import * as StandardStreams from "../StandardStreams.ts"

/** Runs until standard input ends, or a signal comes. */
export const run = (common: Common) =>
  withSession(common, ({ known, operations }) =>
    Effect.gen(function* () {
      const served = McpServer.layer(version, known).pipe(
        Layer.provide(StandardStreams.layer),
        Layer.provide(Layer.succeed(Operations, operations))
      )
      // At the end of its input the server interrupts the fiber that built it.
      const exit = yield* Fiber.await(yield* Effect.forkChild(Layer.launch(served)))
      if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) return yield* exit
    })
  )
