/**
 * A test of the judgement itself: each bug of Bugs.ts, in a short run with the faults that expose it, must be
 * found, and the same run without the bug must be green.
 */
import { setTimeout as delay } from "node:timers/promises"
import { type Bug, bugs } from "./ProcessOptions.ts"
import { clusterBugs, clusterControls } from "./ClusterControls.ts"
import { converge, endPublishing, goesOn } from "./Convergence.ts"
import { judgeRun } from "./Judgement.ts"
import { type Brokers, type Deployment, openDeployment } from "./Deployment.ts"
import { deploy } from "./Deploys.ts"
import { deployed } from "./Releases.ts"
import { inject } from "./Faults.ts"
import { strike } from "./Killers.ts"
import type { Rule, Violation } from "./GroupRules.ts"
import { group, type ShortRun, shortRunOf } from "./ShortRun.ts"

export interface Control {
  /** The judgement must find one of these. */
  readonly rules: ReadonlyArray<Rule>
  readonly play: (run: ShortRun) => Promise<void>
}

const controls: Readonly<Record<Bug, Control>> = {
  ...clusterControls,
  "ack-before-handle": {
    rules: ["lost"],
    play: async (run) => {
      const worker = await run.subscribe("s1", {})
      await run.publish({ count: 60, work: 400 })
      await run.lines("start", 10)
      await run.during("kill-subscriber", [worker.name], () => worker.kill())
    }
  },
  "transient-classic": {
    rules: ["lost"],
    play: async (run) => {
      const worker = await run.subscribe("s1", {})
      await run.node.flush()
      await worker.terminate()
      await run.publish({ count: 40 })
      await run.lines("finished", 1)
      await run.node.flush()
      await run.during("kill-node", [], () => run.node.restart())
    }
  },
  "no-mandatory": {
    rules: ["lost"],
    play: async (run) => {
      await run.subscribe("s1", {})
      const { namespace, observe } = run
      await observe((channel) => channel.unbindQueue(`${namespace}.dead.${group}`, `${namespace}.dead`, group))
      await run.publish({ count: 10, first: ["throw", "reject", "throw", "bad-json"] })
      await run.lines("done", 6)
    }
  },
  "mark-before-handle": {
    rules: ["lost"],
    play: async (run) => {
      const worker = await run.subscribe("s1", { idempotent: true })
      const publisher = run.publish({ count: 40, rate: 20 })
      await run.lines("done", 5)
      await run.during("kill-subscriber", [worker.name], async () => void (await worker.killAt("at-start", 60_000)))
      await publisher
    }
  },
  "key-before-confirm": {
    rules: ["lost"],
    play: async (run) => {
      await run.subscribe("s1", {})
      const publisher = await run.publish({ count: 60, rate: 40, outbox: true })
      await run.lines("outcome", 5)
      await run.during("kill-publisher", [publisher.name], async () => {
        await publisher.killAt("before-send", 60_000)
        await publisher.start()
      })
      await run.lines("finished", 1)
    }
  },
  "ack-on-wrong-channel": {
    rules: ["lost"],
    play: async (run) => {
      const worker = await run.subscribe("s1", { concurrency: 4, prefetch: 20, deadline: 10_000, deaf: true })
      // When the connection breaks, six are handled and four run on into the next channel, where their tags mean other events.
      await run.publish({ count: 22, works: [...Array.from({ length: 6 }, () => 1), 5000, 5000, 5000, 5000, 1000] })
      await run.lines("done", 6)
      await run.lines("start", 10)
      await run.during("rst-one", [worker.name], async () => worker.amqp.reset())
      await run.lines("done", 10)
      await delay(50)
      await run.during("kill-subscriber", [worker.name], () => worker.kill())
    }
  },
  "dead-letter-unconfirmed": {
    rules: ["lost"],
    play: async (run) => {
      await run.subscribe("s1", {})
      await run.observe((channel) => channel.deleteExchange(`${run.namespace}.dead`))
      await run.publish({ count: 10, first: ["throw", "reject", "throw", "bad-json"] })
      await run.lines("done", 6)
    }
  },
  "cancel-first": {
    rules: ["order", "overlap"],
    play: async (run) => {
      const ordered = { ordering: "key", prefetch: 12 } as const
      await run.subscribe("s1", ordered)
      await run.subscribe("s2", ordered)
      await run.publish({ count: 160, rate: 200, keys: ["k0", "k1", "k2"], work: 60 })
      await run.lines("done", 20)
      const { who } = run.read().find(({ t }) => t === "start") ?? { who: "s1" }
      await run.worker(who).terminate()
      await run.lines("finished", 1)
    }
  },
  "requeue-forever": {
    rules: ["innocent dead letter"],
    play: async (run) => {
      await run.subscribe("s1", {})
      await run.publish({ count: 60, work: 200 })
      await run.lines("finished", 1)
    }
  },
  "group-missing-in-key": {
    rules: ["lost"],
    play: async (run) => {
      await run.subscribe("s1", { idempotent: true })
      await run.subscribe("s2", { idempotent: true, name: "control.other" })
      await run.publish({ count: 30 })
      await run.lines("finished", 1)
    }
  },
  "source-missing-in-key": {
    // The data differ, so what looks like an event that was handled is one whose id was used again.
    rules: ["lost", "innocent dead letter"],
    play: async (run) => {
      await run.subscribe("s1", { idempotent: true })
      for (const name of ["p0", "p1"]) await run.publish({ count: 30 }, name)
      await run.lines("finished", 2)
    }
  },
  "late-acks": {
    // Each death takes those along that were handled before it: they come back until they wait on the ladder.
    rules: ["innocent dead letter", "left in a queue"],
    play: async (run) => {
      const worker = await run.subscribe("s1", { name: "control.mortal", events: "mortal", ordering: "key" })
      const killers = { flow: "mortal", count: 1, place: "last", after: 0 } as const
      await run.during("killers", [worker.name], () => strike(run, [worker], killers))
    }
  },
  "looks-take-lives": {
    rules: ["lost"],
    play: async (run) => {
      await run.subscribe("s1", {})
      await run.publish({ count: 20, first: ["throw", "reject", "throw", "bad-json"] })
      await run.lines("done", 16)
      const operator = await run.operate("o1", group)
      await operator.terminate()
      await inject(run, { kind: "delivery-limit", targets: ["o1"], millis: 4000 })
    }
  },
  "denied-is-confirmed": {
    rules: ["lost"],
    play: async (run) => {
      await run.subscribe("s1", {})
      const publisher = await run.publish({ rate: 40 })
      await run.lines("outcome", 10)
      await inject(run, { kind: "take-topic", targets: [publisher.name], millis: 3000 })
      await goesOn(run)
    }
  },
  "unknown-is-acked": {
    rules: ["lost"],
    play: async (run) => {
      const workers = [await run.subscribe("s1", ...deployed), await run.subscribe("s2", ...deployed)]
      await run.during("deploy", ["s1", "s2"], () => deploy(run, workers, { change: "event", rollsBack: false }))
    }
  },
  "waits-by-wall-clock": {
    // Handlers that seem to ignore their deadline keep their places, until there is none for the events behind them.
    rules: ["lost", "innocent dead letter"],
    play: async (run) => {
      const worker = await run.subscribe("s1", { deadline: 2000 })
      // There is always a handler that runs, so deadlines are looked at every two seconds.
      await run.publish({ count: 160, works: [1400] })
      await run.lines("start", 16)
      // Each attempt meets a step, so it seems to last for an hour.
      await run.during("clock-subscriber", [worker.name], async () => {
        for (let n = 1; n <= 32; n++) {
          worker.setClock(n * 3_600_000)
          await delay(500)
        }
        worker.setClock(0)
      })
    }
  },
  "lanes-by-wall-clock": {
    // An event that is tried again seems to stand in its lane for an hour.
    rules: ["innocent dead letter"],
    play: async (run) => {
      const worker = await run.subscribe("s1", { ordering: "key", givesUp: true })
      await run.publish({ count: 60, keys: ["k0", "k1"], flaky: 0.5, works: [200] })
      await run.lines("start", 4)
      await run.during("clock-subscriber", [worker.name], async () => {
        worker.setClock(3_600_000)
        await delay(4000)
        worker.setClock(0)
      })
    }
  },
  "sleeps-the-lease": {
    rules: ["key waits"],
    play: async (run) => {
      const ordered = { ordering: "key", idempotent: true, deadline: 30_000 } as const
      for (const name of ["s1", "s2"]) await run.subscribe(name, ordered)
      await run.publish({ count: 80, rate: 200, works: [1000] })
      await run.lines("start", 16)
      const { who } = run.read().find(({ t }) => t === "start") ?? { who: "s1" }
      await run.during("kill-subscriber", [who], () => run.worker(who).kill())
      await run.lines("done", 80)
    }
  },
  "subject-is-key": {
    rules: ["order", "overlap"],
    play: async (run) => {
      await run.subscribe("s1", { ordering: "key" })
      await run.publish({ count: 100, keys: ["k0", "k1"], foreign: 1, work: 60 })
      await run.lines("finished", 1)
    }
  }
}

const isOfCluster = (bug: Bug): boolean => clusterBugs.some((other) => other === bug)

/** The bugs that these brokers can show. */
export const bugsOn = ({ cluster }: Pick<Brokers, "cluster">): ReadonlyArray<Bug> =>
  bugs.filter((bug) => isOfCluster(bug) === (cluster !== undefined))

/** The violations in a run with the bug, or without it. */
export const play = async (
  brokers: Brokers,
  seed: number,
  name: Bug,
  broken: boolean,
  onEnd: (deployment: Deployment) => void = () => {}
): Promise<ReadonlyArray<Violation>> => {
  const namespace = `control-${bugs.indexOf(name)}-${broken ? "on" : "off"}`
  await using deployment = openDeployment(brokers, namespace, seed)
  await controls[name].play(shortRunOf(deployment, broken ? name : undefined))
  await endPublishing(deployment)
  // Waiting brings no lost event; late ones need their time.
  const ended = await converge(deployment, broken ? 8000 : 40_000, { looksForLeaks: false })
  onEnd(deployment)
  return judgeRun(deployment, ended).violations
}

export interface Result {
  readonly bug: Bug
  readonly isCaught: boolean
  readonly isGreenWithout: boolean
  readonly found: string
}

export const runControls = async (
  brokers: Brokers,
  seed: number,
  print: (line: string) => void,
  which: ReadonlyArray<Bug>
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
      found: caught === undefined ? red.map(shown).join("; ") : shown(caught)
    })
    print(
      `${bug}: ${caught === undefined ? `NOT CAUGHT, ${red.map(shown).join("; ") || "no violation"}` : `caught, ${shown(caught)}`}`
    )
    print(`  without it: ${green.length === 0 ? "green" : `RED, ${green.map(shown).join("; ")}`}`)
  }
  const good = results.filter(({ isCaught, isGreenWithout }) => isCaught && isGreenWithout).length
  print(`${good} of ${results.length} bugs caught`)
  return results
}
