/**
 * Installs Debian's packages of the brokers on a machine that has nothing but Node: as root, without starting their
 * services, one installation at a time.
 *
 * `EVENTBUS_NO_INSTALL=1` forbids it.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const canInstall = (): boolean =>
  process.env["EVENTBUS_NO_INSTALL"] !== "1" && process.getuid?.() === 0 && isDebian()

const isDebian = (): boolean => {
  try {
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync("/etc/os-release", "utf8"))
  } catch {
    return false
  }
}

// policy-rc.d is how Debian is told not to start what it installs (101: forbidden by policy). Where
// there is one, as in the official container images, it is not ours. flock ends with its process, so
// that a killed installation leaves no stale lock.
const script = `
set -e
exec 9>/run/eventbus-apt.lock
flock 9
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 130' HUP INT TERM
  printf '#!/bin/sh\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt="apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Acquire::http::Timeout=30"
$apt update
$apt install -y --no-install-recommends "$@"
`

/** Installs the packages; rejects with the end of apt's output. */
export const install = async (packages: ReadonlyArray<string>): Promise<void> => {
  const log = join(tmpdir(), `eventbus-apt-${process.pid}.log`)
  process.stderr.write(`Installing ${packages.join(" and ")} for the tests (apt-get, log: ${log}) ...\n`)
  const out = openSync(log, "w")
  const child = spawn("/bin/sh", ["-c", script, "eventbus-install", ...packages], {
    stdio: ["ignore", out, out],
    timeout: 15 * 60_000
  })
  closeSync(out)
  const [code, signal] = await once(child, "exit")
  if (code === 0) return rmSync(log, { force: true })
  const lines = readFileSync(log, "utf8").trimEnd().split("\n").slice(-25).join("\n")
  process.stderr.write(`${lines}\n`)
  throw new Error(`apt-get failed (${signal ?? `exit code ${code}`}), see ${log}`)
}
