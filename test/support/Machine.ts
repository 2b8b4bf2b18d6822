/**
 * Where a broker runs: as a process of this machine (here) or in a container (Container.ts). Nodes are written
 * against this interface, so a fault test is the same for both.
 */
import { execFile } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { promisify } from "node:util"
import type { Scratch, Task, TaskOptions } from "./Scratch.ts"

export interface Machine {
  /** Starts the broker, the first time or again, on the same port and data. */
  readonly start: () => Promise<void>
  /** Power loss: SIGKILL. */
  readonly kill: () => Promise<void>
  /** Hangs: SIGSTOP. Connections stay open and nothing answers. */
  readonly suspend: () => Promise<void>
  readonly resume: () => Promise<void>
  /** Runs one of the broker's own tools next to it and returns what it printed. */
  readonly run: (tool: string, args: ReadonlyArray<string>) => Promise<string>
  /** Why the broker has ended; undefined while it runs. */
  readonly ended: () => string | undefined
  readonly log: () => Promise<string>
  /** Leaves nothing behind. */
  readonly close: () => Promise<void>
}

export interface ProcessOptions extends TaskOptions {
  readonly scratch: Scratch
}

/** A broker that is a process in a scratch folder. */
export const processMachine = (options: ProcessOptions): Machine => {
  const { env, log, scratch } = options
  let task: Task | undefined
  return {
    start: async () => {
      if (task !== undefined && task.ended() === undefined) throw new Error("already running: kill it first")
      task = await scratch.start(options)
    },
    kill: async () => task?.kill(),
    suspend: async () => task?.signal("SIGSTOP"),
    resume: async () => task?.signal("SIGCONT"),
    run: (tool, args) => execute(tool, args, env),
    ended: () => task?.ended(),
    log: async () => scratch.tail(log),
    close: scratch.close
  }
}

/** Runs a tool to its end; the error carries what it printed. */
export const execute = async (
  command: string,
  args: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv,
  { input, seconds = 180 }: { readonly seconds?: number; readonly input?: string } = {}
): Promise<string> => {
  try {
    const options = { env, timeout: seconds * 1000, killSignal: "SIGKILL", maxBuffer: 16 << 20 } as const
    const running = promisify(execFile)(command, args, options)
    if (input !== undefined) running.child.stdin?.end(input)
    return (await running).stdout.trimEnd()
  } catch (error) {
    const printed =
      error instanceof Error && "stdout" in error && "stderr" in error ? `${error.stdout}${error.stderr}` : ""
    throw new Error(`${command} ${args.join(" ")} failed: ${printed.trim() || String(error)}`, { cause: error })
  }
}

/** Polls until the server greets, and fails with its log when it ends before or is late. */
export const awaitGreeting = async (options: {
  readonly machine: Pick<Machine, "ended" | "log">
  readonly port: number
  /** The first bytes of a client. */
  readonly hello: string
  /** Whether this answer comes from a server that is ready. */
  readonly isReady: (answer: string) => boolean
  readonly seconds: number
}): Promise<void> => {
  const { hello, isReady, machine, port, seconds } = options
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    if (isReady(await ask(port, hello))) return
    const ended = machine.ended()
    if (ended === undefined && performance.now() < deadline) {
      await delay(30)
      continue
    }
    const why = ended === undefined ? `no answer on port ${port} within ${seconds} s` : `it ended: ${ended}`
    throw new Error(`the broker did not start (${why}). Its log:\n${await machine.log()}`)
  }
}

/** Sends one text to a port; returns the answer, empty when there is none. */
const ask = async (port: number, hello: string): Promise<string> => {
  const socket = connect(port, "127.0.0.1")
  socket.setTimeout(2000, () => socket.destroy())
  try {
    await once(socket, "connect")
    socket.write(hello, "latin1")
    const [first] = await Promise.race([once(socket, "data"), once(socket, "close")])
    return Buffer.isBuffer(first) ? first.toString("latin1") : ""
  } catch {
    return ""
  } finally {
    socket.destroy()
  }
}
