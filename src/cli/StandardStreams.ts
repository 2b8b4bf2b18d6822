/** Standard input and output of this process, for a protocol that speaks over them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type PlatformError, systemError } from "effect/PlatformError"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"

const failed =
  (method: string) =>
  (cause: unknown): PlatformError =>
    systemError({ module: "Stdio", method, _tag: "Unknown", cause })

const write = (chunk: string | Uint8Array) =>
  Effect.callback<void, PlatformError>((resume) => {
    process.stdout.write(chunk, (error) => resume(error == null ? Effect.void : Effect.fail(failed("stdout")(error))))
  })

export const layer = Layer.succeed(
  Stdio.Stdio,
  Stdio.make({
    args: Effect.succeed([]),
    stdin: Stream.fromAsyncIterable<Uint8Array, PlatformError>(process.stdin, failed("stdin")),
    stdout: () => Sink.forEach(write),
    stderr: () => Sink.drain
  })
)
