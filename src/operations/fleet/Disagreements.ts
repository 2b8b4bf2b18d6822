/** Where the processes of a fleet disagree about contracts: other data under one version, or a version that is not known. */
import type { Finding } from "../../bus/port/Examination.ts"
import { matcher } from "../../event/Name.ts"
import type * as Reports from "../FleetReports.ts"

type Process = (typeof Reports.Ps.Type)["processes"][number]
export type Disagreement = (typeof Reports.Ps.Type)["disagreements"][number]
type Said = NonNullable<Process["contracts"]>["events"][number]

/** Sorted by event. A process that says nothing of its contracts agrees. */
export const of = (processes: ReadonlyArray<Process>): ReadonlyArray<Disagreement> => {
  const events = new Set(processes.flatMap(({ contracts }) => contracts?.events.map(({ event }) => event) ?? []))
  return [...events].toSorted().flatMap((event) => [...differing(event, processes), ...behind(event, processes)])
}

const saidOf = ({ contracts }: Process, event: string): Said | undefined =>
  contracts?.events.find((one) => one.event === event)

/** Versions of which there is more than one digest. Digests of different makers are not compared. */
const differing = (event: string, processes: ReadonlyArray<Process>): ReadonlyArray<Disagreement> => {
  const holders = processes.flatMap((process) =>
    Object.entries(saidOf(process, event)?.versions ?? {}).flatMap(([version, digest]) =>
      digest === null ? [] : [{ process, version: Number(version), digest, by: process.contracts?.by ?? "" }]
    )
  )
  const groups = Map.groupBy(holders, ({ by, version }) => `${version} ${by}`)
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined || group.every(({ digest }) => digest === first.digest)) return []
    return [
      {
        event,
        kind: "data" as const,
        version: first.version,
        processes: group.map(({ digest, process }) => ({ ...placeOf(process), version: first.version, digest }))
      }
    ]
  })
}

/** Processes with a subscriber that knows older versions than the newest that is published. */
const behind = (event: string, processes: ReadonlyArray<Process>): ReadonlyArray<Disagreement> => {
  const publishers = processes.flatMap((process) => {
    const version = saidOf(process, event)?.publishes
    return version == null ? [] : [{ process, version }]
  })
  const newest = Math.max(0, ...publishers.map(({ version }) => version))
  const late = processes.flatMap((process) => {
    const version = saidOf(process, event)?.handles
    return version == null || version >= newest || !subscribes(process, event) ? [] : [{ process, version }]
  })
  if (late.length === 0) return []
  const named = [...publishers.filter(({ version }) => version === newest), ...late]
  return [
    {
      event,
      kind: "behind",
      version: newest,
      processes: named.map(({ process, version }) => ({ ...placeOf(process), version, digest: null }))
    }
  ]
}

const subscribes = ({ subscribers }: Process, event: string): boolean =>
  subscribers.some(({ events }) =>
    events.some((pattern) => pattern === event || (/[*#]/.test(pattern) && matcher(pattern)(event)))
  )

const placeOf = ({ host, pid, process, source }: Process) => ({ process, source, host, pid })

const mostNamed = 6

/** In words; what a process wrote is printed by the caller. */
export const textOf = ({ event, kind, processes, version }: Disagreement): string => {
  const named = processes
    .slice(0, mostNamed)
    .map(({ digest, host, pid, source, version }) => `${source} ${host}:${pid} (${digest ?? `version ${version}`})`)
    .join(", ")
  const more = processes.length > mostNamed ? ` and ${processes.length - mostNamed} more` : ""
  return kind === "data"
    ? `version ${version} of ${event} is not the same data in all processes: ${named}${more}`
    : `version ${version} of ${event} is published, and subscribers know older ones only: ${named}${more}`
}

export const findingOf = (one: Disagreement): Finding => ({
  check: one.kind === "data" ? "contracts.differ" : "contracts.behind",
  severity: "warning",
  seen: textOf(one),
  mend:
    one.kind === "data"
      ? "deploy one contract; what differs, and for whom: eventbus contracts diff --against <revision>"
      : "deploy the new version of these subscribers: what they get of this event waits for it"
})
