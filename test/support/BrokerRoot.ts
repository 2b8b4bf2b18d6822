/**
 * Brokers of another suite of Debian, in a folder of their own: what the machine itself has installed stays as it is.
 * As root, on Debian, from the mirror that apt uses.
 *
 * A broker's folder of tools holds one small script for each tool, which runs it inside of that root with this
 * machine's processes, ports and temporary folder. So nodes of any version are started, signalled and removed like
 * installed ones.
 *
 * Roots are kept for the next run, in `EVENTBUS_BROKER_ROOTS` or `~/.cache/eventbus-brokers`.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import type { BrokerVersion, DebianSuite } from "./BrokerVersions.ts"
import { canInstall, install } from "./install.ts"
import { execute } from "./Machine.ts"

const roots = (): string => process.env["EVENTBUS_BROKER_ROOTS"] ?? join(homedir(), ".cache", "eventbus-brokers")

/** The folder with the tools of this version; rejects with the reason when it cannot be had here. */
export const brokerTools = async (version: BrokerVersion): Promise<string> => {
  const root = await (building.get(version.suite) ?? build(version.suite))
  const installed = await packageVersion(root, version.package)
  if (!installed.startsWith(version.version))
    throw new Error(
      `Debian's ${version.suite} has ${version.package} ${installed}, not ${version.version}: change BrokerVersions.ts`
    )
  if (version.tested !== undefined && !installed.startsWith(version.tested))
    process.stderr.write(`${version.package} is ${installed} now, and BrokerVersions.ts names ${version.tested}\n`)
  return writeTools(version, root)
}

/** One build of a suite at a time in this process; `flock` keeps other processes away. */
const building = new Map<DebianSuite, Promise<string>>()
const build = (suite: DebianSuite): Promise<string> => {
  const root = buildRoot(suite)
  building.set(suite, root)
  return root
}

const packages = (suite: DebianSuite): string =>
  [
    "rabbitmq-server,redis-server,redis-sentinel",
    // The first suite with Valkey is trixie.
    ...(suite === "bookworm" ? [] : ["valkey-server"])
  ].join(",")

// The root is built beside its place and moved there, so that a killed build leaves none that looks whole.
// policy-rc.d: services are not started while they are installed.
const script = `
set -e
suite=$1 root=$2 packages=$3
exec 9> "$root.lock"
flock 9
[ -e "$root/.whole" ] && exit 0
rm -rf --one-file-system "$root" "$root.new"
mirror=$(apt-get indextargets --format '$(REPO_URI)' | head -1)
mmdebstrap --quiet --variant=apt --mode=root --include="$packages" \
  --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' --aptopt='Acquire::http::Timeout "30"' \
  --essential-hook='printf "#!/bin/sh\\nexit 101\\n" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
  "$suite" "$root.new" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
echo "127.0.0.1 localhost" > "$root.new/etc/hosts"
touch "$root.new/.whole"
mv "$root.new" "$root"
`

const buildRoot = async (suite: DebianSuite): Promise<string> => {
  const root = join(roots(), suite)
  if (existsSync(join(root, ".whole"))) return root
  if (!canInstall()) throw new Error(`brokers of Debian's ${suite} need root on a Debian machine`)
  await execute("mmdebstrap", ["--version"], process.env).catch(() => install(["mmdebstrap"]))
  mkdirSync(roots(), { recursive: true })
  const log = `${root}.log`
  process.stderr.write(`Building the brokers of Debian's ${suite} in ${root} (log: ${log}) ...\n`)
  const out = openSync(log, "w")
  const child = spawn("/bin/sh", ["-c", script, "eventbus-root", suite, root, packages(suite)], {
    stdio: ["ignore", out, out],
    timeout: 15 * 60_000
  })
  closeSync(out)
  const [code, signal] = await once(child, "exit")
  if (code === 0) return root
  const end = readFileSync(log, "utf8").trimEnd().split("\n").slice(-10).join("\n")
  throw new Error(`the brokers of Debian's ${suite} cannot be built (${signal ?? `exit code ${code}`}):\n${end}`)
}

/** Without its epoch: `8.0.6-3` of `5:8.0.6-3`. */
const packageVersion = async (root: string, name: string): Promise<string> => {
  const found = await execute("dpkg-query", ["--root", root, "-W", "-f", "${Version}", name], process.env)
  return found.replace(/^\d+:/, "")
}

const rabbitScripts = "/usr/lib/rabbitmq/bin"

/** What a tool is called here, and where it is in the root. */
const toolsOf = ({ tools }: BrokerVersion): ReadonlyArray<readonly [string, string]> =>
  tools === "rabbitmq"
    ? [
        ...["rabbitmq-server", "rabbitmqctl", "rabbitmq-queues", "rabbitmq-diagnostics", "rabbitmq-plugins"].map(
          (tool) => [tool, `${rabbitScripts}/${tool}`] as const
        ),
        ...["epmd", "erl", "erl_call"].map((tool) => [tool, `/usr/bin/${tool}`] as const)
      ]
    : (["server", "cli"] as const).map((tool) => [`redis-${tool}`, `/usr/bin/${tools}-${tool}`] as const)

const writeTools = (version: BrokerVersion, root: string): string => {
  const folder = join(roots(), `${version.suite}-${version.tools}`)
  mkdirSync(folder, { recursive: true })
  for (const [name, path] of toolsOf(version)) {
    const file = join(folder, name)
    const text = wrapper(root, path)
    // Others may be running it.
    if (existsSync(file) && readFileSync(file, "utf8") === text) continue
    writeFileSync(file, text)
    chmodSync(file, 0o755)
  }
  return folder
}

/** `exec` all the way: the process that was started is the tool itself, so signals reach it. */
const wrapper = (root: string, tool: string): string => `#!/bin/sh
# Runs ${tool} of ${root} in a mount namespace of its own, with the temporary folder of this machine.
ulimit -n 65536 2> /dev/null
exec unshare --mount -- /bin/sh -c '
root=$1 tmp=$2 tool=$3
shift 3
mkdir -p "$root$tmp"
mount --make-rprivate /
mount --bind "$tmp" "$root$tmp"
mount --bind /proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" "$tool" "$@"
' - '${root}' '${tmpdir()}' '${tool}' "$@"
`
