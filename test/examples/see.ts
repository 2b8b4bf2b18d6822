import { EventBusLive, httpEndpoints, runMain, Telemetry } from "../../src/index.ts"
import { Layer } from "effect"
import { Directory } from "./subscribe.ts"

export const service = (port: number) =>
  Layer.merge(Directory, httpEndpoints({ port })).pipe(
    Layer.provide(EventBusLive),
    Layer.provide(Telemetry.layer({ service: "directory" }))
  )

export const main = () => runMain(service(8080))
