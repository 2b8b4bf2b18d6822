/**
 * Runs every test that meets a broker on other versions than the installed ones.
 *
 *     npm run test:brokers                                    4.3 with Valkey 9, then 4.0 with Redis 8
 *     npm run test:brokers -- --rabbit 4.3 --kv valkey-9      one pair
 *     npm run test:brokers -- --rabbit 4.0 test/process       some test files
 *
 * Brokers come from test/support/BrokerRoot.ts. With CI=true each pair writes a report for scripts/ci-summary.ts.
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
    options: { rabbit: { type: "string" }, kv: { type: "string" } }
  })
  const check = (option: string, value: string | undefined, versions: ReadonlyArray<string>): void => {
    if (value !== undefined && !versions.includes(value))
      throw new Error(`--${option} ${value} is none of ${versions.join(", ")}`)
  }
  check("rabbit", values.rabbit, known.rabbitmq)
  check("kv", values.kv, known.redis)
  return { ...values, files: positionals }
}

const run = async ({ kv, rabbit }: Pair, files: ReadonlyArray<string>): Promise<boolean> => {
  const started = performance.now()
  process.stdout.write(`\nRabbitMQ ${rabbit}, ${kv}\n`)
  const vitest = spawn(process.execPath, [join("node_modules", "vitest", "vitest.mjs"), "run", ...files], {
    stdio: "inherit",
    env: {
      ...process.env,
      EVENTBUS_TEST_RABBITMQ: rabbit,
      EVENTBUS_TEST_KV: kv,
      EVENTBUS_TEST_REPORT: `test-report-${rabbit}-${kv}.json`
    }
  })
  const [code] = await once(vitest, "exit")
  const seconds = Math.round((performance.now() - started) / 1000)
  process.stdout.write(`RabbitMQ ${rabbit}, ${kv}: ${code === 0 ? "passed" : "failed"} after ${seconds} s\n`)
  return code === 0
}

const { files, kv, rabbit } = read()
const chosen = rabbit === undefined && kv === undefined ? pairs : [{ rabbit: rabbit ?? "4.3", kv: kv ?? "valkey-9" }]
for (const pair of chosen) if (!(await run(pair, files))) process.exitCode = 1
