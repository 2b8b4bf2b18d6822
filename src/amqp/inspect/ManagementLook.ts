/**
 * What only the management API shows: policies, bindings, leaders, stuck dead letters, nodes, feature flags and the
 * clock of the broker. Without its address the look says what it did not see.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { few, Notes } from "../../bus/support/Notes.ts"
import type { Settings } from "../AmqpOptions.ts"
import * as Given from "../connection/Given.ts"
import * as Api from "./ManagementApi.ts"
import * as QueueLook from "./QueueLook.ts"

const needs =
  "policies, bindings, leaders, stuck dead letters, versions of all nodes, feature flags, file handles and the clock of RabbitMQ"

export const look = Effect.fnUntraced(function* (
  notes: Notes,
  url: Redacted.Redacted<string> | undefined,
  settings: Settings,
  patience: number
) {
  const api = yield* open(notes, url, settings, patience)
  const [server] = settings.servers
  if (api === undefined || server === undefined) return
  const vhost = encodeURIComponent(server.vhost)
  // The first answer says whether there is an API at all.
  const overview = yield* Effect.option(
    Effect.tapError(api.get("overview"), (failure) => Effect.sync(() => report(notes, api, failure)))
  )
  if (Option.isNone(overview)) return
  lookAtClock(notes, api, overview.value, yield* Clock.currentTimeMillis)
  const rest = yield* Effect.forEach(
    ["nodes", `queues/${vhost}?disable_stats=false`, `bindings/${vhost}`, "feature-flags"],
    (path) => Effect.option(api.get(path)),
    { concurrency: "unbounded" }
  )
  const [nodes, queues, bindings, flags] = rest.map((reply) =>
    Option.isSome(reply) ? Api.listOf(reply.value.body) : undefined
  )
  if (nodes === undefined) notes.hidden("nodes: the user of the management API needs the tag monitoring")
  else lookAtNodes(notes, nodes, (queues ?? []).filter(QueueLook.isQuorum).length)
  if (queues === undefined) notes.hidden("queues: the user of the management API may not see this virtual host")
  else {
    const own = queues.filter((queue) => Api.textOf(queue, "name").startsWith(`${settings.namespace}.`))
    QueueLook.look(notes, settings.namespace, server.vhost, own, nodes?.length ?? 1)
    if (bindings !== undefined) QueueLook.lookAtBindings(notes, settings.namespace, own, bindings)
  }
  if (flags !== undefined) lookAtFlags(notes, flags)
})

const open = Effect.fnUntraced(function* (
  notes: Notes,
  url: Redacted.Redacted<string> | undefined,
  settings: Settings,
  patience: number
) {
  if (url === undefined) {
    notes.hidden(`${needs}: give the address of the management API with --management`)
    return undefined
  }
  const [server] = settings.servers
  const login =
    server === undefined ? undefined : yield* Effect.orElseSucceed(Given.login(server, settings), () => undefined)
  const api = Api.make(url, login, patience)
  if (Result.isFailure(api)) {
    notes.error("management.settings", `--management: ${api.failure}`, "write it as http://user:password@host:15672")
    return undefined
  }
  return api.success
})

const report = (notes: Notes, { address }: Api.Api, { detail, status }: Api.ApiFailure): void =>
  status === 401 || status === 403
    ? notes.error(
        "management.credentials",
        `the management API at ${address} refuses the user (${detail})`,
        "rabbitmqctl set_user_tags <user> monitoring"
      )
    : notes.error(
        "management.reachable",
        `the management API at ${address} does not answer (${detail})`,
        "rabbitmq-plugins enable rabbitmq_management, or correct the address"
      )

/** Beyond it the cache takes a time ahead for now; see the store of last known events. */
const skewMillis = 5000

const lookAtClock = (notes: Notes, { address }: Api.Api, { date }: Api.Reply, now: number): void => {
  if (date === undefined) return notes.hidden("the clock of RabbitMQ: its answers have no date")
  // The date is a second that has begun, and the answer took a moment.
  const skew = date + 500 - now
  if (Math.abs(skew) > skewMillis)
    notes.warning(
      "rabbitmq.clock",
      `the clock of ${address} is ${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? "ahead of" : "behind"} this machine`,
      "timedatectl set-ntp true, on the machine that is wrong"
    )
}

/** A namespace has two quorum queues for each subscriber, and 3 to 22 beside them; RabbitMQ keeps three handles for each. */
const leastHandles = 4096

const lookAtNodes = (notes: Notes, nodes: ReadonlyArray<Api.Json>, quorumQueues: number): void => {
  const down = nodes.filter((node) => node["running"] === false).map((node) => Api.textOf(node, "name"))
  if (down.length > 0)
    notes.error("rabbitmq.nodes", `${few(down)} does not run`, "start it, or: rabbitmqctl forget_cluster_node <node>")
  const versions = new Set(nodes.flatMap((node) => versionsOf(node)))
  if (versions.size > 1)
    notes.warning(
      "rabbitmq.version.mix",
      `the nodes of the cluster run ${[...versions].join(" and ")}`,
      "finish the rolling upgrade within hours, and skip no series: docs/guides/upgrade-rabbitmq.md"
    )
  for (const node of nodes) {
    const name = Api.textOf(node, "name")
    if (node["mem_alarm"] === true || node["disk_free_alarm"] === true)
      notes.error(
        "rabbitmq.alarm",
        `${name} has an alarm of ${node["mem_alarm"] === true ? "memory" : "disk"}: publishers are blocked`,
        "rabbitmq-diagnostics alarms; free memory or disk on that node"
      )
    const handles = Api.numberOf(node, "fd_total")
    if (handles !== undefined && handles > 0 && (handles < leastHandles || quorumQueues * 3 > handles / 2))
      notes.warning(
        "rabbitmq.handles",
        `${name} may have ${handles} files open, and ${quorumQueues} quorum queues reserve ${quorumQueues * 3}`,
        "systemctl edit rabbitmq-server: [Service] LimitNOFILE=65536; then restart the node"
      )
  }
}

const versionsOf = (node: Api.Json): ReadonlyArray<string> =>
  Api.listOf(node["applications"])
    .filter((application) => application["name"] === "rabbit")
    .map((application) => Api.textOf(application, "version"))

const lookAtFlags = (notes: Notes, flags: ReadonlyArray<Api.Json>): void => {
  const disabled = flags
    .filter(
      (flag) =>
        flag["state"] === "disabled" && Predicate.isString(flag["stability"]) && flag["stability"] !== "experimental"
    )
    .map((flag) => Api.textOf(flag, "name"))
  if (disabled.length > 0)
    notes.warning(
      "rabbitmq.feature-flags",
      `stable feature flags are disabled: ${few(disabled)}: the next upgrade may refuse to start`,
      "rabbitmqctl enable_feature_flag all"
    )
}

/** The names behind `<ns>.dead.`, by the management API; undefined without its address. */
export const deadLetterSources = Effect.fnUntraced(function* (
  url: Redacted.Redacted<string> | undefined,
  settings: Settings,
  patience: number
) {
  if (url === undefined) return undefined
  const notes = new Notes()
  const api = yield* open(notes, url, settings, patience)
  const [server] = settings.servers
  if (api === undefined || server === undefined)
    return yield* Effect.fail(notes.findings[0]?.seen ?? "the management API cannot be used")
  const { body } = yield* Effect.mapError(
    api.get(`queues/${encodeURIComponent(server.vhost)}?columns=name`),
    ({ detail }) => `the management API at ${api.address} does not list the queues (${detail})`
  )
  const start = `${settings.namespace}.dead.`
  return QueueLook.namesOf(body).flatMap((name) => (name.startsWith(start) ? [name.slice(start.length)] : []))
})
