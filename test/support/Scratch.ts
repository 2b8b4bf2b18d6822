/**
 * A temporary folder, and the processes that run in it. Both are gone after `close`, and also when the process that
 * opened it ends without calling it: by Ctrl-C, a crash, even SIGKILL.
 *
 * An exit handler cannot promise that (SIGKILL runs none), so a small shell in a session of its own, the reaper, cleans
 * up. It waits on a pipe that only the owner holds. When the pipe ends, by `close` or by the death of the owner, it runs
 * the undo file and removes the folder. There is no other clean-up code.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A started process, leader of a process group of its own. */
export interface Task {
  readonly pid: number
  /** How it ended; undefined while it runs. */
  readonly ended: () => string | undefined
  /** Signals the whole group; does nothing when it has ended. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** SIGKILL, then waits until the process is gone. */
  readonly kill: () => Promise<void>
}

export interface TaskOptions {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: NodeJS.ProcessEnv
  /** File inside of the folder that gets stdout and stderr, appended. */
  readonly log: string
}

export interface Scratch {
  readonly dir: string
  /** Registers a shell command for the clean-up; the result unregisters it. */
  readonly onEnd: (command: string) => () => void
  readonly start: (options: TaskOptions) => Promise<Task>
  /** The last lines of a log, for error messages. */
  readonly tail: (log: string) => string
  /** Kills the remaining processes and removes the folder. */
  readonly close: () => Promise<void>
}

// Retries, since a process may write into the folder while it is killed.
const reaperScript = `
trap '' HUP INT TERM QUIT
while read -r _; do :; done
[ -f "$1/undo" ] && . "$1/undo"
n=0
until rm -rf "$1" 2>/dev/null; do n=$((n+1)); [ $n -lt 100 ] || exit 1; sleep 0.05; done
`

/** Room that the nodes of a run never fill, in bytes. */
const enough = 4 * 2 ** 30

/**
 * Brokers flush what they confirm. In memory that costs next to nothing, and a disk that others keep busy stalls no node
 * for longer than a client waits. What a killed node wrote is still there: power does not fail here.
 */
const parent = (memory = "/dev/shm"): string => {
  try {
    const { bavail, bsize } = statfsSync(memory)
    return bavail * bsize > enough ? memory : tmpdir()
  } catch {
    return tmpdir() // not on Linux
  }
}

export const openScratch = (label: string): Scratch => {
  const dir = mkdtempSync(join(parent(), `eventbus-${label}-`))
  const reaper = spawn("/bin/sh", ["-c", reaperScript, "eventbus-reaper", dir], {
    cwd: "/", // the folder that the owner was started in may be removed before the reaper runs
    detached: true,
    stdio: ["pipe", "ignore", "ignore"]
  })
  reaper.on("error", () => {})
  reaper.stdin.on("error", () => {})
  const done = once(reaper, "exit").catch(() => {})
  reaper.unref() // a reaper that waits must not keep its owner alive
  unrefPipe(reaper.stdin)

  const undo = new Set<string>()
  const save = (): void => {
    if (closing !== undefined) return // the reaper may be reading: the file is final now
    writeFileSync(join(dir, "undo.new"), [...undo].join("\n") + "\n")
    renameSync(join(dir, "undo.new"), join(dir, "undo")) // never half a file when the owner dies here
  }
  const onEnd = (command: string): (() => void) => {
    undo.add(command)
    save()
    return () => {
      if (undo.delete(command)) save()
    }
  }

  const tasks = new Set<Task>()
  const start = async (options: TaskOptions): Promise<Task> => {
    const task = await startTask(dir, onEnd, options)
    tasks.add(task)
    return task
  }

  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    reaper.ref()
    // The reaper would kill them as well, but only their parent can collect them: no zombies.
    await Promise.all([...tasks].map((task) => task.kill()))
    reaper.stdin.end()
    await done
    rmSync(dir, { recursive: true, force: true }) // only when the reaper could not start or gave up
  }

  return {
    dir,
    onEnd,
    start,
    tail: (log) => tail(join(dir, log)),
    close: () => (closing ??= close())
  }
}

const startTask = async (
  dir: string,
  onEnd: (command: string) => () => void,
  { args, command, env, log }: TaskOptions
): Promise<Task> => {
  const out = openSync(join(dir, log), "a")
  const child = spawn(command, args, { cwd: dir, detached: true, env, stdio: ["ignore", out, out] })
  closeSync(out)
  const { pid } = child
  if (pid === undefined) {
    const [error] = await once(child, "error")
    throw new Error(`cannot start ${command}`, { cause: error })
  }
  const forget = onEnd(`kill -KILL -${pid} 2>/dev/null`)
  let ended: string | undefined
  const exited = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      ended = signal === null ? `exit code ${code}` : signal
      forget() // at once: another process may get its number
      resolve()
    })
  })
  child.unref()
  const signal = (name: NodeJS.Signals): void => {
    if (ended === undefined) signalGroup(pid, name)
  }
  return {
    pid,
    ended: () => ended,
    signal,
    kill: () => {
      child.ref()
      signal("SIGKILL")
      return exited
    }
  }
}

const signalGroup = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    // It has ended, and its exit event has not arrived.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
  }
}

const tail = (path: string): string => {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-60).join("\n")
  } catch {
    return "(no log)"
  }
}

/** At run time the pipe is a socket; the types do not say so. */
const unrefPipe = (pipe: object): void => {
  if ("unref" in pipe && typeof pipe.unref === "function") pipe.unref()
}
