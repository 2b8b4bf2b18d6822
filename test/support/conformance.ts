/** Runs the cases of a conformance suite in Vitest, over one layer for all of them. */
import { layer as withLayer } from "@effect/vitest"
import type { Layer, Scope } from "effect"
import type { ConformanceCase } from "../../src/ports/conformance/ConformanceCase.ts"

export const conforms = <R, E>(
  name: string,
  layer: Layer.Layer<R, E>,
  cases: ReadonlyArray<ConformanceCase<R | Scope.Scope>>,
  options: { readonly concurrent?: boolean } = {}
): void =>
  withLayer(layer, { excludeTestServices: true, timeout: "5 minutes", ...options })(name, (it) => {
    for (const { name, test } of cases) it.effect(name, () => test)
  })
