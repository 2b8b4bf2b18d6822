/** The module of NestJS on the embedded bus. */
import { describe } from "vitest"
import { appCases } from "./AppCases.ts"

describe("an app of NestJS, embedded", () => {
  appCases(() => ({ url: "memory://", source: "nest" }))
})
