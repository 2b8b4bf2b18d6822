/** A run with a few processes and one group, for the controls. */
import { allReady, type Deployment, until } from "./Deployment.ts"
import type { Entry } from "./Journal.ts"
import type { Bug, Group, PublisherOptions, SubscriberOptions } from "./ProcessOptions.ts"
import { firstRelease } from "./Releases.ts"
import type { Worker } from "./Worker.ts"

export interface ShortRun extends Deployment {
  readonly subscribe: (name: string, ...groups: ReadonlyArray<Partial<Group>>) => Promise<Worker>
  readonly publish: (options: Partial<PublisherOptions>, name?: string) => Promise<Worker>
  readonly operate: (name: string, ...subscribers: ReadonlyArray<string>) => Promise<Worker>
  /** Waits for this many lines of this kind. */
  readonly lines: (t: Entry["t"], count: number) => Promise<void>
}

/** The group of a run that names none. */
export const group = "control.group"

export const shortRunOf = (deployment: Deployment, bug: Bug | undefined): ShortRun => {
  const { namespace, seed } = deployment
  const common = { seed, namespace, ...(bug !== undefined && { bug }) }
  const ready = async (worker: Worker): Promise<Worker> => {
    await allReady(deployment, [worker])
    return worker
  }
  return {
    ...deployment,
    subscribe: async (name, ...groups) => {
      const options: Omit<SubscriberOptions, "url" | "redisUrl" | "journal" | "arm"> = {
        ...common,
        role: "subscriber",
        name,
        ...(groups.some(({ events }) => events === "deployed") && { release: firstRelease }),
        groups: groups.map((given) => ({ name: group, events: "step", ordering: "none", idempotent: false, ...given }))
      }
      return ready(await deployment.add(options))
    },
    publish: async (given, name = "p0") =>
      ready(
        await deployment.add({
          ...common,
          role: "publisher",
          name,
          rate: 200,
          keys: Array.from({ length: 16 }, (_, i) => `k${i}`),
          poison: 0,
          flaky: 0,
          old: 0,
          foreign: 0,
          big: 0,
          work: 20,
          outbox: false,
          ticks: false,
          ...given
        })
      ),
    operate: async (name, ...subscribers) =>
      ready(await deployment.add({ ...common, role: "operator", name, subscribers })),
    lines: (t, count) =>
      until(`${count} lines "${t}"`, () => deployment.read().filter((entry) => entry.t === t).length >= count)
  }
}
