/**
 * The promises of every `CacheStore`: order, caps, times to live, keys that cannot reach each other, bodies that come
 * out as they went in, and that it agrees with a model.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CacheStore } from "../../../bus/port/CacheStore.ts"
import * as OptionInvalid from "../../../event/options/OptionInvalid.ts"
import * as Kinds from "../../../event/options/OptionKinds.ts"
import * as ConformanceCase from "../ConformanceCase.ts"
import { type CacheCase, type CacheStoreOptions, fresh, underTest } from "./CacheCase.ts"
import { agrees, entryOf, Question, Write } from "./CacheModel.ts"
import { contractCases } from "./ContractCases.ts"
import { historyCases } from "./HistoryCases.ts"
import { lastKnownCases } from "./LastKnownCases.ts"

const Scenario = Schema.Struct({
  writes: Schema.Array(Schema.Struct({ ...Write.fields, pause: Schema.Boolean })).check(
    Schema.isMinLength(6),
    Schema.isMaxLength(25)
  ),
  cap: Schema.Literals([1, 3, 8, 100]),
  questions: Schema.Array(Question).check(Schema.isMaxLength(4))
})

const modelCase: CacheCase = (options) =>
  ConformanceCase.property(
    "N28: it agrees with the model: last, lastMany, history, in any order and in any batches",
    Scenario,
    80,
    ({ cap, questions, writes }) =>
      Effect.gen(function* () {
        const { events, settle, store } = underTest(yield* CacheStore, options)
        const event = fresh()
        for (const { pause, ...write } of writes) {
          store.write(entryOf(event, write, { history: cap, perKey: true }))
          if (pause) yield* Effect.yieldNow
        }
        yield* settle
        yield* agrees(events, event, writes, cap, questions)
      })
  )

export const cacheStoreCases = (
  options: CacheStoreOptions = {}
): ReadonlyArray<ConformanceCase.ConformanceCase<CacheStore>> => {
  OptionInvalid.check("cacheStoreCases", options, { settle: Kinds.func } satisfies Kinds.KindsOf<CacheStoreOptions>)
  return [...lastKnownCases, ...historyCases, ...contractCases, modelCase].map((make) => make(options))
}
