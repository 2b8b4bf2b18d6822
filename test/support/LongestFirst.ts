/** The order of test files: the longest first, so that all workers end at about the same time. */
import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Seconds on two idle cores. Files that are not listed are shorter. */
const seconds: Readonly<Record<string, number>> = {
  "test/chaos/Chaos.test.ts": 57,
  "test/docker/Prometheus.test.ts": 41,
  "test/process/DrainOutage.test.ts": 40,
  "test/amqp/Start.test.ts": 35,
  "test/process/Returns.test.ts": 28,
  "test/simulation/Simulation.test.ts": 27,
  "test/app/demo/HealthStates.test.ts": 26,
  "test/amqp/AmqpBroker.test.ts": 24,
  "test/amqp/Neighbours.test.ts": 22,
  "test/amqp/Hardship.test.ts": 21,
  "test/redis/ServiceOnRedis.test.ts": 18,
  "test/redis/Sentinel.test.ts": 18,
  "test/process/Killers.test.ts": 17,
  "test/bench/Bench.test.ts": 15,
  "test/app/demo/Demo.test.ts": 15,
  "test/redis/Cluster.test.ts": 15,
  "test/security/Secrets.test.ts": 15,
  "test/amqp/Faults.test.ts": 14,
  "test/process/Crashes.test.ts": 14,
  "test/support/support.test.ts": 13,
  "test/redis/cache/RedisCache.test.ts": 13,
  "test/process/Starts.test.ts": 12,
  "test/process/Drain.test.ts": 12,
  "test/redis/Closing.test.ts": 10,
  "test/app/demo/DemoEnds.test.ts": 10,
  "test/examples/examples.test.ts": 10,
  "test/app/promise/PromiseBus.test.ts": 10
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const known = ({ moduleId, project }: TestSpecification): number =>
      seconds[relative(project.vitest.config.root, moduleId)] ?? 0
    return (await super.sort(files)).toSorted((a, b) => known(b) - known(a))
  }
}
