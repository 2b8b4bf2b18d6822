/**
 * What every transport of the bus promises: one suite, run on memory and on RabbitMQ (P17). It follows
 * Watermill's universal suite for publishers and subscribers as far as subscriber queues can, and adds
 * what that leaves out: diagnosis, versions, bounds, duplicates, order under failure, drain, forgery.
 *
 * Of Watermill's sixteen cases one does not apply: a new subscriber receives old messages only from a
 * log, and a queue is none. Tests run beside each other on one process, or on processes of their own.
 */
import { layer as withLayer } from "@effect/vitest"
import { actorCases } from "./ActorCases.ts"
import { batchCases } from "./BatchCases.ts"
import { parkingCases } from "./ParkingCases.ts"
import { deadLetterCases } from "./DeadLetterCases.ts"
import { delayCases } from "./DelayCases.ts"
import { failureCases } from "./FailureCases.ts"
import { forgeryCases } from "./ForgeryCases.ts"
import { formCases } from "./FormCases.ts"
import { lifeCases } from "./LifeCases.ts"
import { orderCases } from "./OrderCases.ts"
import { publishCases } from "./PublishCases.ts"
import { retryCases } from "./RetryCases.ts"
import { sharingCases } from "./SharingCases.ts"
import { tellingCases } from "./TellingCases.ts"
import { watchCases } from "./WatchCases.ts"
import { wireCases } from "./WireCases.ts"
import type { BrokerSuiteOptions } from "./Workbench.ts"

export {
  type BrokerSuiteOptions,
  type Connect,
  type Features,
  processOver,
  type Services,
  type Wire
} from "./Workbench.ts"

export const brokerSuite = (name: string, options: BrokerSuiteOptions): void =>
  withLayer(options.connect(), { excludeTestServices: true, concurrent: true, timeout: "60 seconds" })(name, (it) => {
    const bench = { ...options, it }
    publishCases(bench)
    sharingCases(bench)
    orderCases(bench)
    failureCases(bench)
    retryCases(bench)
    tellingCases(bench)
    delayCases(bench)
    deadLetterCases(bench)
    forgeryCases(bench)
    lifeCases(bench)
    formCases(bench)
    wireCases(bench)
    actorCases(bench)
    parkingCases(bench)
    batchCases(bench)
    watchCases(bench)
  })
