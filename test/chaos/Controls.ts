/**
 * The verdict, put to the test: each of the ten mistakes of Bugs.ts in a short run with the faults that
 * bring it to light has to make it red, and the same run without the mistake has to be green.
 */
import { setTimeout as delay } from "node:timers/promises"
import { type Bug, bugs, type Group, type PublisherOptions, type SubscriberOptions } from "./Contract.ts"
import { converge, endPublishing } from "./Ending.ts"
import { judgeRun } from "./Judgement.ts"
import type { Entry } from "./Ledger.ts"
import { allReady, type Brokers, openStage, type Stage, until } from "./Stage.ts"
import type { Rule, Violation } from "./Verdict.ts"
import type { Worker } from "./Worker.ts"

/** A run in the making. */
interface Scene extends Stage {
  readonly subscribe: (name: string, ...groups: ReadonlyArray<Partial<Group>>) => Promise<Worker>
  readonly publish: (options: Partial<PublisherOptions>) => Promise<Worker>
  /** Waits until so many lines of this kind are there. */
  readonly lines: (t: Entry["t"], count: number) => Promise<void>
}

interface Control {
  /** What the verdict has to say of it: one of these is enough. */
  readonly rules: ReadonlyArray<Rule>
  readonly play: (scene: Scene) => Promise<void>
}

const group = "control.group"

export const controls: Readonly<Record<Bug, Control>> = {
  "ack-before-handle": {
    rules: ["lost"],
    play: async (scene) => {
      const worker = await scene.subscribe("s1", {})
      await scene.publish({ count: 60, work: 400 })
      await scene.lines("start", 10)
      await scene.during("kill-subscriber", [worker.name], () => worker.kill())
    }
  },
  "transient-classic": {
    rules: ["lost"],
    play: async (scene) => {
      const worker = await scene.subscribe("s1", {})
      await scene.node.flush()
      await worker.terminate()
      await scene.publish({ count: 40 })
      await scene.lines("finished", 1)
      await scene.node.flush()
      await scene.during("kill-node", [], () => scene.node.restart())
    }
  },
  "no-mandatory": {
    rules: ["lost"],
    play: async (scene) => {
      await scene.subscribe("s1", {})
      const { namespace, observe } = scene
      await observe((channel) => channel.unbindQueue(`${namespace}.dead.${group}`, `${namespace}.dead`, group))
      await scene.publish({ count: 10, first: ["throw", "reject", "throw", "bad-json"] })
      await scene.lines("done", 6)
    }
  },
  "mark-before-handle": {
    rules: ["lost"],
    play: async (scene) => {
      const worker = await scene.subscribe("s1", { idempotent: true })
      const publisher = scene.publish({ count: 40, rate: 20 })
      await scene.lines("done", 5)
      await scene.during("kill-subscriber", [worker.name], async () => void (await worker.killAt("at-start", 10_000)))
      await publisher
    }
  },
  "key-before-confirm": {
    rules: ["lost"],
    play: async (scene) => {
      await scene.subscribe("s1", {})
      const publisher = await scene.publish({ count: 60, rate: 40, outbox: true })
      await scene.lines("outcome", 5)
      await scene.during("kill-publisher", [publisher.name], async () => {
        await publisher.killAt("before-send", 10_000)
        await publisher.start()
      })
      await scene.lines("finished", 1)
    }
  },
  "ack-on-wrong-channel": {
    rules: ["lost"],
    play: async (scene) => {
      const worker = await scene.subscribe("s1", { concurrency: 4, prefetch: 20, deadline: 10_000, deaf: true })
      // Six are handled and four run when the line breaks, long enough for the next channel: their tags mean others there.
      await scene.publish({ count: 22, works: [...Array.from({ length: 6 }, () => 1), 5000, 5000, 5000, 5000, 1000] })
      await scene.lines("done", 6)
      await scene.lines("start", 10)
      await scene.during("rst-one", [worker.name], async () => worker.amqp.reset())
      await scene.lines("done", 10)
      await delay(50)
      await scene.during("kill-subscriber", [worker.name], () => worker.kill())
    }
  },
  "dead-letter-unconfirmed": {
    rules: ["lost"],
    play: async (scene) => {
      await scene.subscribe("s1", {})
      await scene.observe((channel) => channel.deleteExchange(`${scene.namespace}.dead`))
      await scene.publish({ count: 10, first: ["throw", "reject", "throw", "bad-json"] })
      await scene.lines("done", 6)
    }
  },
  "cancel-first": {
    rules: ["order", "overlap"],
    play: async (scene) => {
      const ordered = { ordering: "key", prefetch: 12 } as const
      await scene.subscribe("s1", ordered)
      await scene.subscribe("s2", ordered)
      await scene.publish({ count: 160, rate: 200, keys: ["k0", "k1", "k2"], work: 60 })
      await scene.lines("done", 20)
      const { who } = scene.read().find(({ t }) => t === "start") ?? { who: "s1" }
      await scene.worker(who).terminate()
      await scene.lines("finished", 1)
    }
  },
  "requeue-forever": {
    rules: ["innocent dead letter"],
    play: async (scene) => {
      await scene.subscribe("s1", {})
      await scene.publish({ count: 60, work: 200 })
      await scene.lines("finished", 1)
    }
  },
  "group-missing-in-key": {
    rules: ["lost"],
    play: async (scene) => {
      await scene.subscribe("s1", { idempotent: true })
      await scene.subscribe("s2", { idempotent: true, name: "control.other" })
      await scene.publish({ count: 30 })
      await scene.lines("finished", 1)
    }
  }
}

const sceneOf = (stage: Stage, bug: Bug | undefined): Scene => {
  const { namespace, seed } = stage
  const common = { seed, namespace, ...(bug !== undefined && { bug }) }
  const ready = async (worker: Worker): Promise<Worker> => {
    await allReady(stage, [worker])
    return worker
  }
  return {
    ...stage,
    subscribe: async (name, ...groups) => {
      const options: Omit<SubscriberOptions, "url" | "redisUrl" | "ledger" | "arm"> = {
        ...common,
        role: "subscriber",
        name,
        groups: groups.map((given) => ({ name: group, events: "step", ordering: "none", idempotent: false, ...given }))
      }
      return ready(await stage.add(options))
    },
    publish: async (given) =>
      ready(
        await stage.add({
          ...common,
          role: "publisher",
          name: "p0",
          rate: 200,
          keys: Array.from({ length: 16 }, (_, i) => `k${i}`),
          poison: 0,
          flaky: 0,
          old: 0,
          big: 0,
          work: 20,
          outbox: false,
          ticks: false,
          ...given
        })
      ),
    lines: (t, count) =>
      until(`${count} lines "${t}"`, () => stage.read().filter((entry) => entry.t === t).length >= count, 40_000)
  }
}

/** What the verdict says of a run with the mistake, or without it. */
export const play = async (
  brokers: Brokers,
  seed: number,
  name: Bug,
  broken: boolean
): Promise<ReadonlyArray<Violation>> => {
  const namespace = `control-${bugs.indexOf(name)}-${broken ? "on" : "off"}`
  await using stage = openStage(brokers, namespace, seed)
  await controls[name].play(sceneOf(stage, broken ? name : undefined))
  await endPublishing(stage)
  // What is lost does not come by waiting; what is only late has to have its time.
  const ended = await converge(stage, broken ? 8000 : 40_000, { looksForLeaks: false })
  return judgeRun(stage, ended).violations
}

export interface Result {
  readonly bug: Bug
  readonly isCaught: boolean
  readonly isGreenWithout: boolean
  readonly told: string
}

export const runControls = async (
  brokers: Brokers,
  seed: number,
  tell: (line: string) => void,
  which: ReadonlyArray<Bug> = bugs
): Promise<ReadonlyArray<Result>> => {
  const results: Array<Result> = []
  const shown = ({ detail, group: where, rule }: Violation): string =>
    `${rule}${where === undefined ? "" : ` (${where})`}: ${detail.split("\n")[0]}`
  for (const bug of which) {
    const green = await play(brokers, seed, bug, false)
    const red = await play(brokers, seed, bug, true)
    const caught = red.find(({ rule }) => controls[bug].rules.includes(rule))
    results.push({
      bug,
      isCaught: caught !== undefined,
      isGreenWithout: green.length === 0,
      told: caught === undefined ? red.map(shown).join("; ") : shown(caught)
    })
    tell(
      `${bug}: ${caught === undefined ? `NOT CAUGHT, ${red.map(shown).join("; ") || "no violation"}` : `caught, ${shown(caught)}`}`
    )
    tell(`  without it: ${green.length === 0 ? "green" : `RED, ${green.map(shown).join("; ")}`}`)
  }
  const good = results.filter(({ isCaught, isGreenWithout }) => isCaught && isGreenWithout).length
  tell(`${good} of ${results.length} mistakes caught`)
  return results
}
