/**
 * The operations on the bus of this process, over its own ports. What is about RabbitMQ says that there is none: the
 * embedded bus has nothing declared that could differ.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { DeadLetters } from "../bus/deadletter/DeadLetters.ts"
import { Administrator } from "../bus/port/Administration.ts"
import { Broker } from "../bus/port/Broker.ts"
import { BrokerError } from "../bus/port/BrokerError.ts"
import { SettingsInvalid } from "../bus/port/BrokerReason.ts"
import { CacheStore } from "../bus/port/CacheStore.ts"
import { Examiner } from "../bus/port/Examination.ts"
import { Fleet } from "../bus/port/Fleet.ts"
import * as SchemaModule from "../event/SchemaModule.ts"
import { make, Operations } from "../operations/Operations.ts"

const withoutRabbit = new BrokerError({
  reason: new SettingsInvalid({
    setting: "EVENTBUS_URL",
    problem: "the embedded bus lives in this process, without queues and bindings that could differ from the contracts",
    remedy: "Set it to the address of RabbitMQ to compare the two"
  })
})

const examiner = Examiner.of({
  examine: () =>
    Effect.succeed({
      facts: ["the embedded bus lives in this process: there is no RabbitMQ to look at"],
      findings: [],
      unseen: []
    }),
  deadLetterSources: Effect.succeed(undefined),
  rightsToWatch: Effect.succeed({ missing: [], mend: "" })
})

const administratorOf = (namespace: string): Administrator["Service"] =>
  Administrator.of({
    namespace,
    compare: () => Effect.fail(withoutRabbit),
    declare: () => Effect.fail(withoutRabbit),
    retire: () => Effect.fail(withoutRabbit),
    grants: () => Effect.fail(withoutRabbit)
  })

export const layer: Layer.Layer<Operations, never, Broker | CacheStore | DeadLetters> = Layer.effect(
  Operations,
  Effect.gen(function* () {
    yield* Effect.promise(() => SchemaModule.load())
    const [broker, letters, cache] = [yield* Broker, yield* DeadLetters, yield* CacheStore]
    const fleet = yield* Effect.serviceOption(Fleet)
    return yield* make(examiner, administratorOf(broker.namespace), {
      bus: Effect.succeed({ broker, letters }),
      cache: Effect.succeed(cache),
      fleet: Effect.succeed(Option.getOrUndefined(fleet)),
      namespace: () => Effect.fail(withoutRabbit)
    })
  })
)
