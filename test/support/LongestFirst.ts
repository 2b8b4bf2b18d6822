/** The order of test files: the longest first, so that all workers end at about the same time. */
import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Seconds in a run of all files on two cores. Files that are not listed are shorter. */
const seconds: Readonly<Record<string, number>> = {
  "test/amqp/AmqpBroker.test.ts": 133,
  "test/process/Returns.test.ts": 123,
  "test/chaos/Chaos.test.ts": 92,
  "test/amqp/consuming/ParkedReturns.test.ts": 83,
  "test/docker/Prometheus.test.ts": 81,
  "test/process/Killers.test.ts": 73,
  "test/amqp/Silent.test.ts": 70,
  "test/simulation/Simulation.test.ts": 64,
  "test/process/DrainOutage.test.ts": 54,
  "test/amqp/Tending.test.ts": 52,
  "test/amqp/Start.test.ts": 51,
  "test/amqp/Faults.test.ts": 44,
  "test/app/demo/HealthStates.test.ts": 44,
  "test/amqp/Hardship.test.ts": 44,
  "test/memory/MemoryBroker.test.ts": 43,
  "test/amqp/Neighbours.test.ts": 40,
  "test/security/Secrets.test.ts": 38,
  "test/app/promise/PromiseBus.test.ts": 36,
  "test/amqp/credentials/Tokens.test.ts": 31,
  "test/examples/examples.test.ts": 30,
  "test/support/RabbitNode.test.ts": 30,
  "test/build.test.ts": 29,
  "test/bench/Bench.test.ts": 29,
  "test/process/Starts.test.ts": 27,
  "test/app/demo/DemoEnds.test.ts": 26,
  "test/process/Crashes.test.ts": 26,
  "test/amqp/consuming/Looking.test.ts": 25,
  "test/app/demo/Demo.test.ts": 25,
  "test/redis/ServiceOnRedis.test.ts": 22,
  "test/redis/Sentinel.test.ts": 21,
  "test/docker/Servers.test.ts": 20,
  "test/redis/Cluster.test.ts": 19,
  "test/redis/cache/RedisCache.test.ts": 19,
  "test/bus/park/ParkingRenewal.test.ts": 18,
  "test/bus/delivery/Retrying.test.ts": 18,
  "test/redis/Closing.test.ts": 17,
  "test/bus/delivery/Unreadable.test.ts": 17,
  "test/amqp/Denied.test.ts": 17,
  "test/process/Drain.test.ts": 16,
  "test/amqp/UnknownAmqplib.test.ts": 15,
  "test/process/Claims.test.ts": 14,
  "test/bus/deadletter/ReplayKilled.test.ts": 13,
  "test/bus/supervise/Restarts.test.ts": 13,
  "test/testing/TestBus.test.ts": 13,
  "test/docker/Rights.test.ts": 12,
  "test/amqp/RefusedLetters.test.ts": 12,
  "test/event/UpcasterErrors.test.ts": 11,
  "test/security/Canaries.test.ts": 10
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
