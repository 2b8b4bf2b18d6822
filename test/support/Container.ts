/**
 * A broker in a Docker container, for machines that have an engine and no installed broker.
 *
 * The container publishes one port on the loopback interface. It cannot reach servers of the host by
 * 127.0.0.1: a Redis replica of another node, for one, needs installed binaries.
 */
import { execute, type Machine } from "./Machine.ts"
import type { Scratch } from "./Scratch.ts"

export interface ContainerOptions {
  readonly scratch: Scratch
  readonly image: string
  /** Port of this machine, and the broker's own one inside of the container. */
  readonly port: number
  readonly innerPort: number
  readonly env: Readonly<Record<string, string>>
  /** What runs instead of the image's own command. */
  readonly command: ReadonlyArray<string>
}

export const containerMachine = (options: ContainerOptions): Machine => {
  const { command, env, image, innerPort, port, scratch } = options
  const name = scratch.dir.slice(scratch.dir.lastIndexOf("/") + 1)
  const docker = (...args: ReadonlyArray<string>): Promise<string> =>
    execute("docker", args, process.env, { seconds: 300 })
  const variables = Object.entries(env).flatMap(([key, value]) => ["--env", `${key}=${value}`])
  let created = false
  let running = false
  return {
    start: async () => {
      if (running) throw new Error("already running: kill it first")
      if (created) {
        await docker("start", name)
      } else {
        created = true
        scratch.onEnd(`docker rm --force --volumes ${name} >/dev/null 2>&1`)
        await docker(
          "run",
          "--detach",
          "--name",
          name,
          "--publish",
          `127.0.0.1:${port}:${innerPort}`,
          ...variables,
          image,
          ...command
        )
      }
      running = true
    },
    kill: async () => {
      if (!running) return
      running = false
      await docker("kill", name)
      await docker("wait", name) // kill only sends the signal
    },
    suspend: async () => void (await docker("pause", name)),
    resume: async () => void (await docker("unpause", name)),
    run: (tool, args) => docker("exec", name, tool, ...args),
    ended: () => (running ? undefined : "the container was killed"),
    log: () => docker("logs", "--tail", "30", name).catch(String),
    close: scratch.close
  }
}
