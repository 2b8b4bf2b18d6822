import { globSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defineConfig } from "vitest/config"
import { LongestFirst } from "./test/support/LongestFirst.ts"
import { RunErrors } from "./test/support/RunErrors.ts"

// Each process loads all of effect: what V8 has compiled once need not be compiled again.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "eventbus-compile-cache")

const report = process.env["EVENTBUS_TEST_REPORT"] ?? "test-report.json"

/** `@eduflow/events` within this repository is its source, as in tsconfig.json and `npm run example`. */
const conditions = ["@eduflow/source"]

/**
 * Suites of many processes and many waits, as long as the rest together. `npm test` leaves them to `npm run test:brokers`,
 * which runs them on the installed brokers and on those of each other pair.
 */
const long = [
  "test/process/{Claims,Crashes,Drain,DrainOutage,KeyedKillers,KeyedRetry,Killers,KillersTable,Returns,Starts}.test.ts",
  "test/chaos/Chaos.test.ts",
  "test/docker/{Leaders,Prometheus,Servers}.test.ts",
  "test/outbox/kills/*.test.ts",
  "test/outbox/OutboxOnRabbit.test.ts",
  "test/examples/OutboxClients.test.ts",
  "test/bench/Bench.test.ts",
  "test/amqp/{DelayLevels,Hardship,Silent,Tending,UnknownAmqplib}.test.ts",
  "test/amqp/consuming/ParkedReturns.test.ts",
  "test/amqp/credentials/*.test.ts",
  "test/bus/park/ParkingRenewal.test.ts",
  "test/bus/recurring/Recurring{Rabbit,Year}.test.ts",
  "test/support/RabbitNode.test.ts",
  "test/security/Secrets.test.ts",
  "test/app/demo/{DemoEnds,HealthStates}.test.ts",
  "test/app/promise/Http.test.ts",
  "test/cli/{DeadLetters,Doctor,DoctorChannels,DoctorRedis,DoctorTls,EditLetter,Fleet,LeastRights,Live,Load,Publish,ReplayKilled,SingleLetters,Terminal,Topology}.test.ts",
  "test/build/*.test.ts",
  "test/contracts/foreign/*.test.ts",
  "test/mcp/Mcp.test.ts",
  "test/migrate/*.test.ts",
  "test/page/{Hostile,Page,Screens}.test.ts",
  "test/site/*.test.ts"
]

/** Rules of the source, the docs and the examples: `npm run check` runs them. */
const house = ["test/house/*.test.ts", "test/chaos/Coverage.test.ts"]

/** Examples and tests install packages beside themselves, which bring tests of their own. */
const packages = ["**/node_modules/**"]

/** What a test file has that needs a process of its own: something global. */
const needsOwn = /process\.(?:env|on)\b|globalThis/
/**
 * All others share a few processes, which load the library once: that is two seconds of a processor for each file.
 * The simulation is as long as many of them together: in a process of its own it begins first.
 */
const shared = globSync("test/**/*.test.ts", {
  cwd: import.meta.dirname,
  exclude: ["test/app/**", "test/simulation/Simulation.test.ts", ...long, ...house, ...packages]
}).filter((file) => !needsOwn.test(readFileSync(join(import.meta.dirname, file), "utf8")))

const asked = ["EVENTBUS_TEST_RABBITMQ", "EVENTBUS_TEST_KV"].some((name) => (process.env[name] ?? "") !== "")
const files = globSync(["test/**/*.test.ts", "examples/**/*.test.ts"], { cwd: import.meta.dirname, exclude: packages })
/** On brokers that were asked for (`npm run test:brokers`) run the files that meet one; the others know no version. */
const meetsBroker = (file: string): boolean => /\/live\.ts"/.test(readFileSync(join(import.meta.dirname, file), "utf8"))
const elsewhere = asked ? files.filter((file) => !meetsBroker(file)) : []

export default defineConfig({
  ssr: { resolve: { conditions } },
  test: {
    // For a test that hangs. No test is slow enough to need it, however busy the machine is.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // The suites log until their last moment: a line needs no message to the main process, which carries the results.
    disableConsoleIntercept: true,
    pool: "forks", // as fast as threads here, and a test file that crashes takes nothing else with it
    // One more than the two cores that the time of a run is measured on: most files wait for servers and processes.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    globalSetup: ["test/support/globalSetup.ts"],
    projects: [
      { extends: true, test: { name: "shared processes", include: shared, exclude: elsewhere, isolate: false } },
      {
        extends: true,
        test: {
          name: "own process",
          include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: [...shared, ...long, ...house, ...elsewhere, ...packages]
        }
      },
      { extends: true, test: { name: "long", include: long, exclude: elsewhere } },
      { extends: true, test: { name: "house", include: house, exclude: elsewhere, isolate: false } }
    ],
    // .ci/run counts from this report; with a reporter named on the command line it would have to change `npm test`.
    reporters: process.env["CI"] === "true" ? ["default", "json", new RunErrors(report)] : ["default"],
    outputFile: { json: report }
  }
})
