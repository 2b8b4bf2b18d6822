/**
 * The promises of every `Broker`, shown through the bus: embedded and live pass the same suite (P17). It follows
 * Watermill's universal suite for publishers and subscribers as far as subscriber queues can, and adds what that leaves
 * out: diagnosis, versions, bounds, duplicates, order under failure, drain, forgery.
 *
 * Of Watermill's sixteen cases one does not apply: a new subscriber receives old messages only from a log, and a queue
 * is none. The cases may run at the same time over one process; some start processes of their own.
 */
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as OptionInvalid from "../../../event/options/OptionInvalid.ts"
import * as Kinds from "../../../event/options/OptionKinds.ts"
import type { ConformanceCase } from "../ConformanceCase.ts"
import type { Services } from "../setup/BusProcess.ts"
import { type BrokerSetup, underTest } from "./BrokerCase.ts"
import { admissionCases } from "./AdmissionCases.ts"
import { batchCases } from "./BatchCases.ts"
import { competingCases } from "./CompetingCases.ts"
import { delayCases } from "./DelayCases.ts"
import { deployAndDrainCases } from "./DeployCases.ts"
import { drainCases } from "./DrainCases.ts"
import { failureCases } from "./FailureCases.ts"
import { failureFeedCases } from "./FailureFeedCases.ts"
import { flowCases } from "./flow/FlowCases.ts"
import { foreignCases } from "./ForeignCases.ts"
import { foreignKeyCases } from "./ForeignKeyCases.ts"
import { boundCases } from "./hostile/BoundCases.ts"
import { forgeryCases } from "./hostile/ForgeryCases.ts"
import { formCases } from "./FormCases.ts"
import { networkCases } from "./NetworkCases.ts"
import { orderCases } from "./OrderCases.ts"
import { orderHandoverCases } from "./OrderHandoverCases.ts"
import { parkingCases } from "./ParkingCases.ts"
import { publishCases } from "./PublishCases.ts"
import { retryCases } from "./RetryCases.ts"
import { signatureCases } from "./hostile/SignatureCases.ts"
import { sharingCases } from "./SharingCases.ts"
import { subscribeCases } from "./SubscribeCases.ts"
import { watchCases } from "./WatchCases.ts"
import { deadLetterCases } from "./deadletter/DeadLetterCases.ts"
import { expiredReplayCases } from "./deadletter/ExpiredReplayCases.ts"
import { expiryCases } from "./deadletter/ExpiryCases.ts"
import { interruptedReplayCases } from "./deadletter/InterruptedReplayCases.ts"
import { replayCases } from "./deadletter/ReplayCases.ts"
import { selectionCases } from "./deadletter/SelectionCases.ts"

/**
 * The cases of a broker. Each needs the services of one bus over it, which may be shared by all cases.
 *
 * @example
 * ```ts
 * import { brokerCases, type BrokerSetup, busProcess } from "@eduflow/events/ports"
 * import { Effect } from "effect"
 * import { describe, it } from "node:test"
 *
 * declare const setup: BrokerSetup
 *
 * describe("MyBroker", () => {
 *   for (const { name, test } of brokerCases(setup))
 *     it(name, () => Effect.runPromise(Effect.scoped(Effect.provide(test, busProcess(setup.ports)))))
 * })
 * ```
 */
export const brokerCases = (setup: BrokerSetup): ReadonlyArray<ConformanceCase<Services | Scope.Scope>> => {
  OptionInvalid.check("brokerCases", setup, kinds)
  const broker = underTest(setup)
  return all.map((make) => make(broker))
}

const layer: Kinds.Kind = { expected: "a Layer", holds: Layer.isLayer }

const kinds: Kinds.Kinds = {
  ports: Kinds.required(layer),
  network: Kinds.required(Kinds.effect),
  claims: Kinds.required(layer),
  publishForeign: Kinds.required(Kinds.func),
  remote: Kinds.required(Kinds.bool),
  scale: Kinds.above
} satisfies Kinds.KindsOf<BrokerSetup>

const all = [
  ...publishCases,
  ...sharingCases,
  ...competingCases,
  ...orderCases,
  ...orderHandoverCases,
  ...failureCases,
  ...retryCases,
  ...failureFeedCases,
  ...delayCases,
  ...selectionCases,
  ...replayCases,
  ...interruptedReplayCases,
  ...deadLetterCases,
  ...expiryCases,
  ...expiredReplayCases,
  ...flowCases,
  ...foreignCases,
  ...foreignKeyCases,
  ...forgeryCases,
  ...signatureCases,
  ...boundCases,
  ...subscribeCases,
  ...drainCases,
  ...deployAndDrainCases,
  ...formCases,
  ...networkCases,
  ...admissionCases,
  ...parkingCases,
  ...batchCases,
  ...watchCases
]
