/**
 * What goes on although something is away. One node of three that is killed, hangs or is cut off stops no publisher, and no
 * subscriber without order by key, for longer than 20 seconds. No connection with consumers is ended by what the library
 * does beside events. The keys of a process that lost its line or was killed do not wait for the claims that it left.
 */
import type { Window } from "./Deployment.ts"
import { isRedis, isRights, losesConnections } from "./Faults.ts"
import type { Violation } from "./GroupRules.ts"
import { type Silence, silences, type Watched } from "./HealthRules.ts"
import type { History, Run } from "./History.ts"
import { type Quantiles, quantiles } from "./Statistics.ts"

/** How long keys waited whose event was being handled when its process lost its line, or was killed. */
export interface ClaimFigures {
  readonly lostLine: Quantiles
  readonly kill: Quantiles
}

export interface ProgressFigures {
  /** Silences around the loss of one node, of publishers and of groups without order. */
  readonly silences: Quantiles
  readonly claims: ClaimFigures
}

const limitMillis = 20_000
/** A busy machine takes some more. */
const slackMillis = 5000

/** One node is away, and the others are a majority. */
const losesOneNode = new Set(["node-kill", "node-hang", "node-cut"])

/** Whether another fault stopped them as well. */
const isExplained = (windows: ReadonlyArray<Window>, { begin, end, who }: Silence): boolean =>
  windows.some(
    ({ from, kind, targets, to }) =>
      !losesOneNode.has(kind) &&
      (losesConnections(kind) ||
        isRights(kind) ||
        isRedis(kind) ||
        kind === "node-alarm" ||
        kind === "rolling-restart") &&
      (targets.length === 0 || targets.some((name) => who.includes(name))) &&
      from < end &&
      to > begin
  )

const standstills = (watched: Watched, history: History, windows: ReadonlyArray<Window>) => {
  const around = silences(watched, history, 1000).filter(({ begin, end }) =>
    windows.some(({ from, kind, to }) => losesOneNode.has(kind) && from < end && to > begin)
  )
  const unexplained = around.filter((silence) => !isExplained(windows, silence))
  const violations = unexplained
    .filter(({ begin, end }) => end - begin >= limitMillis + slackMillis)
    .map(({ begin, end, group, who }): Violation => ({
      rule: "standstill",
      ...(group !== undefined && { group }),
      detail: `${group === undefined ? `${who.join()} published` : "handled"} nothing for ${Math.round(end - begin)} ms while one node was away`,
      ids: []
    }))
  return { violations, lengths: unexplained.map(({ begin, end }) => end - begin) }
}

/** RabbitMQ 4.3 does that when a binding finds no leader of the metadata. */
const endedLines = ({ entries }: History): ReadonlyArray<Violation> =>
  entries.flatMap((entry) =>
    entry.t === "closed" && entry.detail.startsWith("541")
      ? [{ rule: "line ended", detail: `${entry.who}, life ${entry.life}: ${entry.detail}`, ids: [] }]
      : []
  )

interface Loss {
  readonly who: string
  readonly at: number
  readonly kind: "lostLine" | "kill"
}

const lossesOf = ({ workers }: Watched, windows: ReadonlyArray<Window>): ReadonlyArray<Loss> => [
  ...workers.flatMap(({ deaths }) =>
    deaths.filter(({ how }) => how !== "SIGTERM").map(({ at, who }) => ({ who, at, kind: "kill" as const }))
  ),
  ...windows
    .filter(({ kind }) => kind === "rst-one" || kind === "rst-all")
    .flatMap(({ from, targets }) => targets.map((who) => ({ who, at: from, kind: "lostLine" as const })))
]

/** Of each key that was being handled then, and for which something waits: how long until something of it runs and succeeds. */
const waitsAfter = ({ at, who }: Loss, runs: ReadonlyArray<Run>, { published }: History): ReadonlyArray<number> => {
  const held = runs.filter((run) => run.who === who && run.start < at && run.end >= at)
  const done = runs.filter(({ how }) => how === "done").toSorted((a, b) => a.start - b.start)
  return [...new Set(held.map(({ key }) => key))].flatMap((key) => {
    const before = new Set(done.filter((run) => run.key === key && run.start < at).map(({ id }) => id))
    const next = done.find(
      ({ id, key: other, start }) =>
        other === key && start > at && !before.has(id) && (published.get(id)?.at ?? Infinity) < at
    )
    return next === undefined ? [] : [next.start - at]
  })
}

const waitingKeys = (watched: Watched, history: History, windows: ReadonlyArray<Window>) => {
  const found: Record<Loss["kind"], Array<number>> = { lostLine: [], kill: [] }
  const violations: Array<Violation> = []
  const groups = watched.groups.filter(
    ({ events, idempotent, ordering }) => events === "step" && ordering === "key" && idempotent
  )
  for (const loss of lossesOf(watched, windows)) {
    /** Nothing else went wrong beside it. */
    const isAlone = (until: number): boolean =>
      !windows.some(
        ({ from, kind, targets, to }) =>
          (losesConnections(kind) || isRedis(kind)) &&
          !(targets.includes(loss.who) && from <= loss.at) &&
          from < until &&
          to > loss.at - slackMillis
      )
    for (const { name } of groups) {
      const waits = waitsAfter(loss, history.runs.get(name) ?? [], history).filter((wait) => isAlone(loss.at + wait))
      found[loss.kind].push(...waits)
      const longest = Math.max(0, ...waits)
      if (longest > limitMillis)
        violations.push({
          rule: "key waits",
          group: name,
          detail: `a key waited for ${Math.round(longest)} ms after ${loss.who} ${loss.kind === "kill" ? "was killed" : "lost its line"}`,
          ids: []
        })
    }
  }
  return { violations, claims: { lostLine: quantiles(found.lostLine), kill: quantiles(found.kill) } }
}

export const judgeProgress = (
  watched: Watched,
  history: History,
  windows: ReadonlyArray<Window>
): { readonly figures: ProgressFigures; readonly violations: ReadonlyArray<Violation> } => {
  const { lengths, violations } = standstills(watched, history, windows)
  const keys = waitingKeys(watched, history, windows)
  return {
    violations: [...violations, ...endedLines(history), ...keys.violations],
    figures: { silences: quantiles(lengths), claims: keys.claims }
  }
}
