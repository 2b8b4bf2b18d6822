/** The order of test files: the longest first, so that all workers end at about the same time. */
import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Seconds in a run of all files on two cores. Files that are not listed are shorter. */
const seconds: Readonly<Record<string, number>> = {
  "test/docker/Prometheus.test.ts": 143,
  "test/chaos/Chaos.test.ts": 90,
  "test/simulation/Simulation.test.ts": 84,
  "test/amqp/AmqpBroker.test.ts": 76,
  "test/amqp/Start.test.ts": 55,
  "test/process/Returns.test.ts": 55,
  "test/process/DrainOutage.test.ts": 50,
  "test/amqp/Hardship.test.ts": 50,
  "test/process/Killers.test.ts": 46,
  "test/amqp/Faults.test.ts": 40,
  "test/app/demo/HealthStates.test.ts": 35,
  "test/bench/Bench.test.ts": 33,
  "test/amqp/Neighbours.test.ts": 30,
  "test/amqp/consuming/Looking.test.ts": 28,
  "test/amqp/UnknownAmqplib.test.ts": 28,
  "test/security/Secrets.test.ts": 27,
  "test/redis/Sentinel.test.ts": 27,
  "test/process/Starts.test.ts": 26,
  "test/support/RabbitNode.test.ts": 25,
  "test/amqp/RefusedLetters.test.ts": 24,
  "test/bus/deadletter/ReplayKilled.test.ts": 22,
  "test/amqp/Denied.test.ts": 22,
  "test/examples/examples.test.ts": 21,
  "test/process/Crashes.test.ts": 20,
  "test/build.test.ts": 20,
  "test/house/docs.test.ts": 19,
  "test/docker/Servers.test.ts": 18,
  "test/redis/ServiceOnRedis.test.ts": 18,
  "test/app/promise/PromiseBus.test.ts": 17,
  "test/app/demo/Demo.test.ts": 16,
  "test/security/Canaries.test.ts": 16,
  "test/redis/Cluster.test.ts": 16,
  "test/app/demo/DemoEnds.test.ts": 15,
  "test/event/UpcasterErrors.test.ts": 14,
  "test/process/Drain.test.ts": 14,
  "test/app/telemetry/Emitted.test.ts": 13,
  "test/redis/Closing.test.ts": 13,
  "test/redis/cache/RedisCache.test.ts": 13,
  "test/docker/Rights.test.ts": 12,
  "test/app/runMain.test.ts": 10
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const known = ({ moduleId, project }: TestSpecification): number =>
      seconds[relative(project.vitest.config.root, moduleId)] ?? 0
    return (await super.sort(files)).toSorted((a, b) => known(b) - known(a))
  }
}
