/** Pauses, resumes and releases a subscriber: each is tried first, and wanted by a person then. */
import * as Client from "./Client.ts"
import { confirm, type Question, say, sayFailed, sayNothing } from "./Dialog.ts"
import { h, outside } from "./Dom.ts"
import { brief, count, plural } from "./Text.ts"

export interface Orders {
  readonly pause: (reason: string) => Promise<void>
  readonly resume: () => Promise<void>
  /** Every parked key where none is named. */
  readonly release: (key: string | undefined) => Promise<void>
}

const followed = (pending: number): string =>
  pending === 0 ? "" : `; ${plural(pending, "process has", "processes have")} not followed yet`

/** `onDone` is called after each, whatever came of it. */
export const orders = (name: string, onDone: () => void): Orders => {
  const order = async <A>(
    verb: string,
    body: object,
    ask: (tried: A) => Question,
    done: (report: A) => string
  ): Promise<void> => {
    sayNothing()
    try {
      const tried = await Client.post<A>(["subscribers", name, verb], body, { apply: false })
      if (!(await confirm(ask(tried)))) return say("Nothing was changed.")
      say("Waiting until all processes have followed …")
      say(done(await Client.post<A>(["subscribers", name, verb], body, { apply: true })))
    } catch (error) {
      sayFailed(Client.problem(error))
    } finally {
      onDone()
    }
  }
  return {
    pause: (reason) =>
      order<Client.Pause>(
        "pause",
        { ...(reason.trim() !== "" && { reason }) },
        ({ processes }) => ({
          title: `Pause ${brief(name)}?`,
          lines: [
            `${plural(processes.length, "process", "processes")} will stop taking events, and those that start later too. Running handlers end.`,
            "It stays paused until somebody resumes it."
          ],
          action: "Pause"
        }),
        ({ pending }) => `${brief(name)} is paused${followed(pending)}.`
      ),
    resume: () =>
      order<Client.Resume>(
        "resume",
        {},
        ({ pause, processes }) => ({
          title: `Resume ${brief(name)}?`,
          lines: [pausedBy(pause), `${plural(processes.length, "process", "processes")} will take events again.`],
          action: "Resume"
        }),
        ({ pending }) => `${brief(name)} runs again${followed(pending)}.`
      ),
    release: (key) =>
      order<Client.Release>(
        "release",
        { ...(key !== undefined && { key }) },
        ({ parked }) => ({
          title: key === undefined ? `Release all parked keys of ${brief(name)}?` : "Release a parked key?",
          lines: [
            key === undefined
              ? `${parked === null ? "An unknown number of" : count(parked)} parked events run before their time.`
              : h("p", {}, "Events of the key ", outside(brief(key)), " run before their time.")
          ],
          action: "Release"
        }),
        () => "Its active process was asked to release them."
      )
  }
}

const pausedBy = (pause: Client.Resume["pause"]): HTMLElement =>
  pause === null
    ? h("p", {}, "No operator has paused it.")
    : h(
        "p",
        {},
        "Paused by ",
        outside(brief(pause.by)),
        pause.reason !== "" && ": ",
        pause.reason !== "" && outside(brief(pause.reason, 500))
      )
