/** The order of test files: the longest first, so that all workers end at about the same time. */
import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Seconds in a run of all files on two cores. Files that are not listed are shorter. */
const seconds: Readonly<Record<string, number>> = {
  "test/process/KillersTable.test.ts": 150,
  "test/process/Returns.test.ts": 123,
  "test/build/Nest.test.ts": 120,
  "test/simulation/Simulation.test.ts": 108,
  "test/chaos/Chaos.test.ts": 92,
  "test/amqp/consuming/ParkedReturns.test.ts": 83,
  "test/docker/Prometheus.test.ts": 81,
  "test/process/Killers.test.ts": 73,
  "test/amqp/Silent.test.ts": 70,
  "test/amqp/AmqpBroker.test.ts": 67,
  "test/examples/examples.test.ts": 59,
  "test/process/DrainOutage.test.ts": 54,
  "test/amqp/Tending.test.ts": 52,
  "test/security/Secrets.test.ts": 51,
  "test/migrate/Migrate.test.ts": 50,
  "test/site/Site.test.ts": 50,
  "test/process/KeyedKillers.test.ts": 46,
  "test/amqp/Hardship.test.ts": 44,
  "test/app/demo/HealthStates.test.ts": 43,
  "test/amqp/Start.test.ts": 42,
  "test/page/Page.test.ts": 40,
  "test/cli/Fleet.test.ts": 38,
  "test/app/demo/DemoEnds.test.ts": 37,
  "test/memory/MemoryBroker.test.ts": 34,
  "test/amqp/credentials/Tokens.test.ts": 31,
  "test/support/RabbitNode.test.ts": 30,
  "test/app/promise/PromiseBus.test.ts": 29,
  "test/bench/Bench.test.ts": 29,
  "test/amqp/Faults.test.ts": 27,
  "test/process/Starts.test.ts": 27,
  "test/process/Crashes.test.ts": 26,
  "test/bus/delivery/Retrying.test.ts": 23,
  "test/amqp/Neighbours.test.ts": 22,
  "test/redis/FleetPause.test.ts": 22,
  "test/redis/ServiceOnRedis.test.ts": 20,
  "test/docker/Servers.test.ts": 20,
  "test/process/KeyedRetry.test.ts": 20,
  "test/amqp/consuming/Looking.test.ts": 19,
  "test/app/demo/Demo.test.ts": 19,
  "test/redis/Sentinel.test.ts": 18,
  "test/bus/park/ParkingRenewal.test.ts": 18,
  "test/redis/Cluster.test.ts": 17,
  "test/bus/delivery/Unreadable.test.ts": 17,
  "test/process/Drain.test.ts": 16,
  "test/outbox/Outbox.test.ts": 16,
  "test/bus/park/Parking.test.ts": 16,
  "test/redis/cache/RedisCache.test.ts": 15,
  "test/amqp/UnknownAmqplib.test.ts": 15,
  "test/bus/park/ParkingDeath.test.ts": 15,
  "test/build.test.ts": 14,
  "test/redis/Closing.test.ts": 14,
  "test/process/Claims.test.ts": 14,
  "test/app/telemetry/Outage.test.ts": 14,
  "test/bus/supervise/Restarts.test.ts": 13,
  "test/testing/TestBus.test.ts": 11,
  "test/event/UpcasterErrors.test.ts": 11,
  "test/redis/Refusal.test.ts": 11,
  "test/bus/deadletter/ReplayKilled.test.ts": 10,
  "test/app/runMain.test.ts": 10,
  "test/bus/health/EventLoop.test.ts": 9,
  "test/app/http/Server.test.ts": 9,
  "test/amqp/Denied.test.ts": 8,
  "test/redis/Failover.test.ts": 8,
  "test/redis/Outage.test.ts": 8
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
