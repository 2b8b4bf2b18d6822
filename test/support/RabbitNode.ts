/**
 * A RabbitMQ node for one test or one run. It shares nothing with other nodes of this machine: port, node name,
 * cookie, epmd, data and log are its own, and `stop` (or the end of the test process, whatever its cause) removes
 * them all.
 *
 * Nodes are installed binaries if there are any, else containers; see provision.ts.
 */
import { randomBytes } from "node:crypto"
import { chmodSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { startEpmd } from "./Epmd.ts"
import { bootSettings, writeBoot } from "./ErlangBoot.ts"
import { awaitGreeting, execute, type Machine, processMachine } from "./Machine.ts"
import { freePort } from "./Port.ts"
import { findBeside, findBroker } from "./provision.ts"
import { erlangOf, printedBy } from "./RabbitCommands.ts"
import { configFile, type Given, rabbitContainer } from "./RabbitSettings.ts"
import { openScratch, type Scratch } from "./Scratch.ts"

export interface RabbitOptions {
  /** More lines for rabbitmq.conf, `{ consumer_timeout: "1000" }` for example. */
  readonly conf?: Readonly<Record<string, string>>
  /** Files that `conf` names as `FILES/<name>`, with their text. */
  readonly files?: Readonly<Record<string, string>>
  /** Settings of the broker that have no line in rabbitmq.conf, `{ channel_tick_interval: 1000 }` for example. */
  readonly settings?: Readonly<Record<string, number>>
  /** How long a start may take, in seconds. */
  readonly deadline?: number
  /** Default: a free one. */
  readonly port?: number
  /** Plugins to enable, `["rabbitmq_prometheus"]` for example. None by default: each takes time to start. */
  readonly plugins?: ReadonlyArray<string>
  /** Erlang's schedulers: one by default, since tests share the machine. */
  readonly schedulers?: "one" | "all"
  /** The node as one of a cluster; see RabbitCluster.ts. */
  readonly member?: Member
}

/** What a node of a cluster is called, and what all of its nodes share. */
export interface Member {
  /** Erlang's name, before the address. */
  readonly id: string
  /** An address of the loopback interface for what nodes say to each other: packet filters tell nodes by it. */
  readonly address: string
  readonly cookie: string
  readonly epmdPort: number
}

export interface Permissions {
  readonly vhost?: string
  readonly configure?: string
  readonly write?: string
  readonly read?: string
}

export interface RabbitNode {
  /** As guest, in the vhost "/". */
  readonly url: string
  readonly port: number
  /** Runs a command of `rabbitmqctl` in this node and returns what it prints, without headings; see RabbitCommands.ts. */
  readonly ctl: (...args: ReadonlyArray<string>) => Promise<string>
  /** Evaluates Erlang in this node, as `rabbitmqctl eval` does, but in milliseconds where Erlang's `erl_call` is installed. */
  readonly eval: (expression: string) => Promise<string>
  /** Adds a vhost with all rights for guest; returns its url. */
  readonly addVhost: (name: string) => Promise<string>
  /** Adds a user with these rights (regular expressions, default ".*"); returns its url. */
  readonly addUser: (name: string, password: string, permissions?: Permissions) => Promise<string>
  /**
   * Forces the index of the quorum queues to disk. RabbitMQ delays that (3.10: until the index is idle
   * for 0.5 s), and a queue that was declared just before a `kill` then comes back without its
   * confirmed messages and without a leader: `get` and `consume` hang. Call it after the declarations.
   */
  readonly flush: () => Promise<void>
  /** Power loss: SIGKILL. */
  readonly kill: () => Promise<void>
  /** Hangs: SIGSTOP. Connections stay open and nothing answers. */
  readonly suspend: () => Promise<void>
  readonly resume: () => Promise<void>
  /** Stops the broker inside the running Erlang node: clients get an orderly CONNECTION_FORCED. */
  readonly stopApp: () => Promise<void>
  readonly startApp: () => Promise<void>
  /** Kills it if it runs, and starts it again on the same port and data. */
  readonly restart: () => Promise<void>
  readonly stop: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

export const startRabbit = async (options: RabbitOptions = {}): Promise<RabbitNode> => {
  const {
    conf = {},
    deadline = 240,
    files = {},
    member,
    plugins = [],
    port = await freePort(),
    schedulers = "one",
    settings = {}
  } = options
  const erlang = Object.entries(settings).map(([name, value]) => `-rabbit ${name} ${value}`)
  const source = await findBroker("rabbitmq")
  const scratch = openScratch("rabbitmq")
  try {
    const { evaluate, machine }: Node =
      source.kind === "docker"
        ? { machine: rabbitContainer(scratch, source.image, port, { conf, files }, plugins, erlang) }
        : await rabbitProcess(
            scratch,
            source.folder,
            port,
            { conf, files },
            plugins,
            [...(schedulers === "one" ? ["+S 1:1"] : []), ...erlang],
            member
          )
    const node = await startOn(machine, port, deadline, evaluate)
    await evaluate?.(writeBoot)
    return node
  } catch (error) {
    await scratch.close()
    throw error
  }
}

interface Node {
  readonly machine: Machine
  readonly evaluate?: RabbitNode["eval"]
}

const startOn = async (
  machine: Machine,
  port: number,
  seconds: number,
  evaluate?: RabbitNode["eval"]
): Promise<RabbitNode> => {
  const url = (user: string, password: string, vhost?: string): string => {
    const path = vhost === undefined ? "" : `/${encodeURIComponent(vhost)}`
    return `amqp://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}${path}`
  }
  const ctl = async (...args: ReadonlyArray<string>): Promise<string> => {
    const erlang = evaluate === undefined ? undefined : erlangOf(args)
    if (evaluate === undefined || erlang === undefined) return machine.run("rabbitmqctl", ["--quiet", ...args])
    return printedBy(await evaluate(erlang))
  }
  const evalIn = evaluate ?? ((expression: string) => ctl("eval", expression))
  // The protocol header, answered by the frame Connection.Start: the listener works and so does the broker behind it.
  const ready = (): Promise<void> =>
    awaitGreeting({
      machine,
      port,
      seconds,
      hello: "AMQP\x00\x00\x09\x01",
      isReady: (answer) => answer.startsWith("\x01")
    })
  const start = async (): Promise<void> => {
    await machine.start()
    await ready()
  }
  await start()
  return {
    url: url("guest", "guest"),
    port,
    ctl,
    addVhost: async (name) => {
      await ctl("add_vhost", name)
      await ctl("set_permissions", "--vhost", name, "guest", ".*", ".*", ".*")
      return url("guest", "guest", name)
    },
    addUser: async (name, password, { configure = ".*", read = ".*", vhost = "/", write = ".*" } = {}) => {
      await ctl("add_user", name, password)
      await ctl("set_permissions", "--vhost", vhost, name, configure, write, read)
      return url(name, password, vhost)
    },
    eval: evalIn,
    flush: async () => void (await evalIn("[ok = dets:sync(Table) || Table <- dets:all()], ok.")),
    kill: machine.kill,
    suspend: machine.suspend,
    resume: machine.resume,
    stopApp: async () => void (await ctl("stop_app")),
    startApp: async () => {
      await ctl("start_app")
      await ready()
    },
    restart: async () => {
      await machine.kill()
      await start()
    },
    stop: machine.close,
    [Symbol.asyncDispose]: machine.close
  }
}

const rabbitProcess = async (
  scratch: Scratch,
  folder: string,
  port: number,
  given: Given,
  plugins: ReadonlyArray<string>,
  erlang: ReadonlyArray<string>,
  member: Member | undefined
): Promise<Node> => {
  const inside = (name: string): string => join(scratch.dir, name)
  const { cookie, epmdPort, id } = member ?? {
    id: `ev${process.pid}${randomBytes(3).toString("hex")}`,
    cookie: randomBytes(16).toString("hex"),
    epmdPort: await freePort()
  }
  // Erlang takes an address for a host's long name only.
  const [kind, name] = member === undefined ? ["-sname", `${id}@localhost`] : ["-name", `${id}@${member.address}`]
  const address = `{${(member?.address ?? "127.0.0.1").split(".").join(",")}}`
  const dial = member === undefined ? "" : ` -kernel inet_dist_connect_options [{ip,${address}}]`
  writeFileSync(inside("rabbitmq.conf"), configFile(`127.0.0.1:${port}`, scratch.dir, given))
  for (const [file, text] of Object.entries(given.files)) writeFileSync(inside(file), text)
  writeFileSync(inside("enabled_plugins"), `[${plugins.join(",")}].\n`)
  writeFileSync(inside("rabbitmq-env.conf"), bootSettings())
  writeFileSync(inside(".erlang.cookie"), cookie)
  chmodSync(inside(".erlang.cookie"), 0o400) // Erlang refuses a cookie that others may read

  const env = {
    PATH: process.env["PATH"],
    LANG: "C.UTF-8",
    HOME: scratch.dir, // where Erlang looks for its cookie
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_NODENAME: name,
    ...(member !== undefined && { RABBITMQ_USE_LONGNAME: "true" }),
    RABBITMQ_MNESIA_BASE: inside("data"),
    RABBITMQ_LOG_BASE: inside("log"),
    RABBITMQ_LOGS: "-", // one log, on stdout, with the output of the start script
    RABBITMQ_CONF_ENV_FILE: inside("rabbitmq-env.conf"),
    RABBITMQ_CONFIG_FILE: inside("rabbitmq.conf"),
    RABBITMQ_ADVANCED_CONFIG_FILE: inside("none.config"),
    RABBITMQ_ENABLED_PLUGINS_FILE: inside("enabled_plugins"),
    RABBITMQ_PID_FILE: inside("pid"),
    // Distribution started by the VM itself takes any free port and spares RabbitMQ its search for an epmd.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${erlang.join(" ")} ${kind} ${name} -start_epmd false -kernel inet_dist_use_interface ${address}${dial}`,
    RABBITMQ_CTL_DIST_PORT_MIN: "0",
    RABBITMQ_CTL_DIST_PORT_MAX: "0",
    RUNNING_UNDER_SYSTEMD: "true" // makes the script `exec` the VM, so that signals reach it and not a shell
  }

  if (member === undefined) await startEpmd(scratch, folder, epmdPort)

  const broker = processMachine({
    scratch,
    command: join(folder, "rabbitmq-server"),
    args: [],
    env,
    log: "rabbitmq.log"
  })
  const erlCall = findBeside(folder, "erl_call")
  let calls = 0
  return {
    machine: { ...broker, run: (tool, args) => broker.run(join(folder, tool), args) },
    ...(erlCall !== undefined && {
      evaluate: async (expression) => {
        // A name of its own: a node refuses a second caller of the same name while the first one is connected.
        const caller = `c${process.pid}x${calls++}`
        const args = [kind, name, "-h", caller, "-c", cookie, "-e"]
        const answer = (await execute(erlCall, args, env, { input: `${expression}\n` })).trim()
        const value = /^\{ok, ([^]*)\}$/.exec(answer)?.[1]
        if (value === undefined) throw new Error(`${expression} failed: ${answer}`)
        return value
      }
    })
  }
}
