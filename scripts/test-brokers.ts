/**
 * Runs what `npm test` leaves out: its long suites on the installed brokers, then every test that meets a broker on other
 * versions.
 *
 *     npm run test:brokers                                    the long suites, 4.3 with Valkey 9, 4.0 with Redis 8
 *     npm run test:brokers -- --long                          the long suites alone
 *     npm run test:brokers -- --rabbit 4.3 --kv valkey-9      one pair
 *     npm run test:brokers -- --rabbit 4.0 test/process       some test files
 *
 * Brokers come from test/support/BrokerRoot.ts. With CI=true each run writes a report for scripts/ci-summary.ts.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { known } from "../test/support/BrokerVersions.ts"

interface Pair {
  readonly rabbit: string
  readonly kv: string
}

/** The oldest pair is what `npm test` meets on the Debian that the tests are written on. */
const pairs: ReadonlyArray<Pair> = [
  { rabbit: "4.3", kv: "valkey-9" },
  { rabbit: "4.0", kv: "redis-8" }
]

const read = () => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { long: { type: "boolean", default: false }, rabbit: { type: "string" }, kv: { type: "string" } }
  })
  const check = (option: string, value: string | undefined, versions: ReadonlyArray<string>): void => {
    if (value !== undefined && !versions.includes(value))
      throw new Error(`--${option} ${value} is none of ${versions.join(", ")}`)
  }
  check("rabbit", values.rabbit, known.rabbitmq)
  check("kv", values.kv, known.redis)
  return { ...values, files: positionals }
}

const run = async (name: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Promise<void> => {
  const started = performance.now()
  process.stdout.write(`\n${name}\n`)
  const vitest = spawn(process.execPath, [join("node_modules", "vitest", "vitest.mjs"), "run", ...args], {
    stdio: "inherit",
    env: { ...process.env, ...env }
  })
  const [code] = await once(vitest, "exit")
  const seconds = Math.round((performance.now() - started) / 1000)
  process.stdout.write(`${name}: ${code === 0 ? "passed" : "failed"} after ${seconds} s\n`)
  if (code !== 0) process.exitCode = 1
}

const runPair = ({ kv, rabbit }: Pair, files: ReadonlyArray<string>): Promise<void> =>
  run(`RabbitMQ ${rabbit}, ${kv}`, files, {
    EVENTBUS_TEST_RABBITMQ: rabbit,
    EVENTBUS_TEST_KV: kv,
    EVENTBUS_TEST_REPORT: `test-report-${rabbit}-${kv}.json`
  })

const { files, kv, long, rabbit } = read()
if (rabbit !== undefined || kv !== undefined) await runPair({ rabbit: rabbit ?? "4.3", kv: kv ?? "valkey-9" }, files)
else {
  const suites = ["--project", "long", "--passWithNoTests", ...files]
  await run("Long suites, installed brokers", suites, { EVENTBUS_TEST_REPORT: "test-report-long.json" })
  if (!long) for (const pair of pairs) await runPair(pair, files)
}
