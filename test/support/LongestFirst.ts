/** The order of test files: the longest first, so that all workers end at about the same time. */
import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Seconds in a run of all files on two cores. Files that are not listed are shorter. */
const seconds: Readonly<Record<string, number>> = {
  "test/docker/Prometheus.test.ts": 109,
  "test/simulation/Simulation.test.ts": 93,
  "test/chaos/Chaos.test.ts": 73,
  "test/amqp/AmqpBroker.test.ts": 47,
  "test/process/Killers.test.ts": 44,
  "test/process/Returns.test.ts": 44,
  "test/memory/MemoryBroker.test.ts": 43,
  "test/process/DrainOutage.test.ts": 43,
  "test/amqp/Faults.test.ts": 38,
  "test/amqp/Hardship.test.ts": 38,
  "test/amqp/Start.test.ts": 37,
  "test/app/demo/HealthStates.test.ts": 33,
  "test/examples/examples.test.ts": 28,
  "test/amqp/Neighbours.test.ts": 26,
  "test/security/Secrets.test.ts": 26,
  "test/app/promise/PromiseBus.test.ts": 23,
  "test/bench/Bench.test.ts": 22,
  "test/redis/ServiceOnRedis.test.ts": 21,
  "test/amqp/consuming/Looking.test.ts": 18,
  "test/app/demo/Demo.test.ts": 18,
  "test/app/demo/DemoEnds.test.ts": 18,
  "test/redis/Sentinel.test.ts": 17,
  "test/redis/Cluster.test.ts": 16,
  "test/redis/cache/RedisCache.test.ts": 15,
  "test/process/Starts.test.ts": 14,
  "test/process/Crashes.test.ts": 13,
  "test/support/RabbitNode.test.ts": 13,
  "test/bus/delivery/Retrying.test.ts": 12,
  "test/process/Claims.test.ts": 12,
  "test/process/Drain.test.ts": 12,
  "test/redis/Closing.test.ts": 11,
  "test/amqp/Denied.test.ts": 10,
  "test/docker/Servers.test.ts": 10,
  "test/house/docs.test.ts": 10,
  "test/bus/health/EventLoop.test.ts": 9,
  "test/amqp/UnknownAmqplib.test.ts": 9,
  "test/app/http/Server.test.ts": 9,
  "test/bus/deadletter/ReplayKilled.test.ts": 9,
  "test/catalog/Catalog.test.ts": 8,
  "test/testing/TestBus.test.ts": 8,
  "test/build.test.ts": 8,
  "test/redis/Refusal.test.ts": 8
}

export class LongestFirst extends BaseSequencer {
  /** Files with a process of their own come first: one of them between two others would end the process that those share. */
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const known = ({ moduleId, project }: TestSpecification): number =>
      seconds[relative(project.vitest.config.root, moduleId)] ?? 0
    const own = ({ project }: TestSpecification): number => Number(project.config.isolate)
    return (await super.sort(files)).toSorted((a, b) => own(b) - own(a) || known(b) - known(a))
  }
}
