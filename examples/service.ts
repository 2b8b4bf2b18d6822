import { EventBusLive, httpEndpoints, runMain, Telemetry } from "@eduflow/events"
import { Layer } from "effect"
import { Directory } from "./subscribe.ts"

export const service = (port: number) =>
  Layer.merge(Directory, httpEndpoints({ port, details: "loopback" })).pipe(
    Layer.provide(EventBusLive),
    Layer.provide(Telemetry.layer({ service: "directory" }))
  )

if (import.meta.main) runMain(service(8080))
