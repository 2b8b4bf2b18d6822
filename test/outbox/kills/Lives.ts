/** The processes of a run. One is always loaded and waits for its work, so that a death costs no start. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { programOf } from "../../support/Program.ts"
import type { Death, Order, Word, WorkOptions } from "./Work.ts"

export class Life {
  private readonly child: ChildProcess
  /** How it ended. */
  readonly ended: Promise<NodeJS.Signals | null>
  isOver = false
  onWord: (word: Word) => void = () => {}

  constructor(child: ChildProcess) {
    this.child = child
    this.ended = once(child, "exit").then(([, signal]: ReadonlyArray<NodeJS.Signals | null>) => {
      this.isOver = true
      return signal ?? null
    })
    // The program alone sends messages.
    child.on("message", (word) => this.onWord(word as Word))
  }

  /** It may be dead. */
  order(order: Order): void {
    this.child.send(order, () => {})
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Lets it die at a statement; resolves when that is reached, when it has ended, or after `millis`. */
  reaches(death: Death, millis: number): Promise<"reached" | "ended" | "late"> {
    const { promise, resolve } = Promise.withResolvers<"reached" | "late">()
    const timer = setTimeout(() => resolve("late"), millis)
    this.onWord = ({ word }) => {
      if (word === "reached") resolve("reached")
    }
    this.order({ order: "die", death })
    const ended = this.ended.then(() => "ended" as const)
    return Promise.race([promise, ended]).finally(() => clearTimeout(timer))
  }
}

export class Lives implements AsyncDisposable {
  private readonly program: string
  private readonly all = new Set<Life>()
  private spare: Life

  private constructor(program: string) {
    this.program = program
    this.spare = this.load()
  }

  static async open(): Promise<Lives> {
    return new Lives(await programOf("test/outbox/kills/worker.ts"))
  }

  begin(options: WorkOptions): Life {
    const life = this.spare
    this.spare = this.load()
    life.order({ order: "work", options })
    return life
  }

  private load(): Life {
    const child = spawn(process.execPath, [this.program], {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "eventbus-compile-cache") }
    })
    const life = new Life(child)
    this.all.add(life)
    void life.ended.then(() => this.all.delete(life))
    return life
  }

  /** Kills all. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.all]
    for (const life of all) life.signal("SIGKILL")
    await Promise.all(all.map(({ ended }) => ended))
  }
}
