/** The port mapper of Erlang, by which nodes find each other: one of our own for each node or cluster. */
import { awaitGreeting } from "./Machine.ts"
import { findBeside } from "./provision.ts"
import type { Scratch } from "./Scratch.ts"

/** Ours, and before the VM: Erlang would start one as a daemon that outlives everything. */
export const startEpmd = async (
  scratch: Scratch,
  folder: string,
  port: number,
  addresses: ReadonlyArray<string> = []
): Promise<void> => {
  const epmd = await scratch.start({
    command: findBeside(folder, "epmd") ?? "epmd",
    args: ["-port", String(port), "-address", ["127.0.0.1", ...addresses].join(","), "-relaxed_command_check"],
    env: { PATH: process.env["PATH"], LANG: "C.UTF-8", HOME: scratch.dir },
    log: "epmd.log"
  })
  await awaitGreeting({
    machine: { ended: epmd.ended, log: async () => scratch.tail("epmd.log") },
    port,
    seconds: 10,
    hello: "\x00\x01n", // NAMES_REQ
    isReady: (answer) => answer !== ""
  })
}
