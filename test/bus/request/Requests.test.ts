/** Requests and their answers, on the embedded bus and on RabbitMQ. */
import { describe } from "@effect/vitest"
import { EventBus } from "../../../src/index.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../../support/live.ts"
import { requestCases } from "./RequestCases.ts"

describe("requests on the embedded bus", () => requestCases(() => EventBus.layerMemory()))

describeLive(
  "requests on RabbitMQ",
  () => requestCases(() => EventBus.layerAmqp({ url: rabbitUrl(), namespace: freshNamespace() })),
  ["rabbit"]
)
