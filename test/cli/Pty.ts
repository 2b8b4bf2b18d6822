/** The command on a terminal of its own, by `script` of util-linux. */
import { type ChildProcess, spawn } from "node:child_process"
import { stripVTControlCharacters } from "node:util"
import type { Settings } from "./Eventbus.ts"

export interface Pty {
  /** What the terminal got so far. */
  readonly output: () => string
  /** Completes when the output has this. */
  readonly shows: (pattern: RegExp) => Promise<void>
  readonly type: (keys: string) => void
  /** The exit code. */
  readonly ended: Promise<number>
}

const main = new URL("../../src/cli/main.ts", import.meta.url).pathname
const word = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

export const open = (columns: number, settings: Settings, ...args: ReadonlyArray<string>): Pty => {
  const command = [process.execPath, main, ...args].map(word).join(" ")
  const child: ChildProcess = spawn(
    "script",
    ["--quiet", "--flush", "--return", "--command", `stty cols ${columns} rows 24; exec ${command}`, "/dev/null"],
    { env: { PATH: "/usr/bin:/bin", TERM: "xterm", SHELL: "/bin/sh", ...settings }, stdio: ["pipe", "pipe", "inherit"] }
  )
  let output = ""
  const waiting = new Set<() => void>()
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text
    for (const look of waiting) look()
  })
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject).once("close", (code) => resolve(code ?? -1))
  })
  return {
    output: () => output,
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!pattern.test(output)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
        ended.then(() => reject(new Error(`it ended without ${pattern}: ${output}`)), reject)
      }),
    type: (keys) => void child.stdin?.write(keys),
    ended
  }
}

/** What stands on the terminal's lines, one after the other: a line that is written anew counts each time. */
export const linesOf = (output: string): ReadonlyArray<string> =>
  output.split(/[\r\n]+/).map((line) => stripVTControlCharacters(line))
