/**
 * Commands of `rabbitmqctl` as Erlang that runs inside of the node. `rabbitmqctl` starts a VM of its own for each, which
 * costs two seconds of processor time; a call into the node costs milliseconds. Each expression calls what the command
 * of RabbitMQ 3.10, 4.0 and 4.3 calls.
 */
import { parseArgs } from "node:util"

/**
 * The command as Erlang that fails when the command does. Its value is what it prints, in hexadecimal digits, or
 * anything else when it prints nothing of use. Undefined when it is not known here.
 */
export const erlangOf = (args: ReadonlyArray<string>): string | undefined => {
  const parsed = parse(args)
  if (parsed === undefined) return undefined
  const [command = "", ...operands] = parsed.positionals
  const erlang = commands[command]?.(operands, { vhost: "/", ...parsed.values })
  return erlang === undefined ? undefined : `${erlang}.`
}

/** What the command printed, from the answer of `erl_call`. */
export const printedBy = (answer: string): string =>
  Buffer.from(/^"([0-9A-F]*)"$/.exec(answer)?.[1] ?? "", "hex").toString()

interface Options {
  readonly vhost: string
  readonly "apply-to"?: string | undefined
  readonly "no-table-headers"?: boolean | undefined
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        vhost: { type: "string", short: "p" },
        "apply-to": { type: "string" },
        "no-table-headers": { type: "boolean" }
      }
    })
  } catch {
    return undefined // an option that no expression here knows
  }
}

/** Erlang's text for a binary of any content. */
const binary = (text: string | undefined): string => `<<${[...Buffer.from(text ?? "")].join(",")}>>`
const binaries = (...texts: ReadonlyArray<string | undefined>): string => texts.map(binary).join(", ")
/** `erl_call` cuts binaries after thirty bytes, and shows lists of bytes as text or as numbers. */
const hexadecimal = (printed: string): string => `binary_to_list(binary:encode_hex(iolist_to_binary(${printed})))`
const self = binary("rabbitmqctl")

/** "20MB" in bytes. */
const bytesOf = (size: string | undefined): number | undefined => {
  const [, count, unit] = /^(\d+)(MB|GB)$/.exec(size ?? "") ?? []
  return count === undefined ? undefined : Number(count) * (unit === "GB" ? 1e9 : 1e6)
}

const commands: Readonly<Record<string, (operands: ReadonlyArray<string>, options: Options) => string | undefined>> = {
  await_startup: () => "rabbit:await_startup()",
  stop_app: () => "ok = rabbit:stop()",
  start_app: () => "ok = rabbit:start()",
  add_vhost: ([name]) => `ok = rabbit_vhost:add(${binary(name)}, ${self})`,
  add_user: ([name, password]) => `ok = rabbit_auth_backend_internal:add_user(${binaries(name, password)}, ${self})`,
  change_password: ([name, password]) =>
    `ok = rabbit_auth_backend_internal:change_password(${binaries(name, password)}, ${self})`,
  set_permissions: ([user, configure, write, read], { vhost }) =>
    `ok = rabbit_auth_backend_internal:set_permissions(${binaries(user, vhost, configure, write, read)}, ${self})`,
  set_topic_permissions: ([user, exchange, write, read], { vhost }) =>
    `ok = rabbit_auth_backend_internal:set_topic_permissions(${binaries(user, vhost, exchange, write, read)}, ${self})`,
  set_policy: ([name, pattern, definition], { "apply-to": kind = "all", vhost }) =>
    `ok = rabbit_policy:parse_set(${binaries(vhost, name, pattern, definition)}, 0, ${binary(kind)}, ${self})`,
  clear_policy: ([name], { vhost }) => `ok = rabbit_policy:delete(${binaries(vhost, name)}, ${self})`,
  delete_queue: ([name], { vhost }) =>
    `{ok, Queue} = rabbit_amqqueue:lookup(rabbit_misc:r(${binary(vhost)}, queue, ${binary(name)})),
     {ok, _} = rabbit_amqqueue:delete(Queue, false, false, ${self})`,
  list_queues: ([...columns], { "no-table-headers": isBare = false, vhost }) =>
    columns.join() === "name"
      ? `Names = [element(4, amqqueue:get_name(Queue)) || Queue <- rabbit_amqqueue:list(${binary(vhost)})],
         ${hexadecimal(`lists:join("\\n", ${isBare ? "Names" : '["name" | Names]'})`)}`
      : undefined,
  close_all_connections: ([reason], { vhost }) =>
    `Connections = rabbit_connection_tracking:list(${binary(vhost)}),
     ok = rabbit_connection_tracking:close_connections(Connections, ${binary(reason)}, 0)`,
  set_vm_memory_high_watermark: ([first, size]) => {
    const bytes = first === "absolute" ? bytesOf(size) : undefined
    if (bytes !== undefined) return `ok = vm_memory_monitor:set_vm_memory_high_watermark({absolute, ${bytes}})`
    return /^\d+\.\d+$/.test(first ?? "") ? `ok = vm_memory_monitor:set_vm_memory_high_watermark(${first})` : undefined
  },
  set_disk_free_limit: ([size]) => {
    const bytes = bytesOf(size)
    return bytes === undefined ? undefined : `ok = rabbit_disk_monitor:set_disk_free_limit(${bytes})`
  }
}
