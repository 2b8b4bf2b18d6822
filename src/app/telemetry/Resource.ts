/**
 * The resource of all exports: what describes this process, by OpenTelemetry's conventions
 * (https://opentelemetry.io/docs/specs/semconv/resource/). The environment overrides everything else.
 */
import { randomUUID } from "node:crypto"
import { arch, hostname, platform } from "node:os"
import { library } from "../../bus/send/Diagnosis.ts"
import type { OtelSettings } from "./OtelSettings.ts"

const [distribution = "", distributionVersion = ""] = library.split(" ")
/** Values of the conventions where they differ from Node's. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "x86", arm: "arm32" }
const systems: Readonly<Record<string, string>> = { win32: "windows", sunos: "solaris" }

/** Called once for all signals, so that they name the same instance. */
export const make = (
  { attributes, serviceName }: Pick<OtelSettings, "attributes" | "serviceName">,
  own: Readonly<Record<string, string>>
) => ({
  serviceName,
  attributes: {
    "service.instance.id": randomUUID(),
    "host.name": hostname(),
    "host.arch": architectures[arch()] ?? arch(),
    "os.type": systems[platform()] ?? platform(),
    "process.pid": process.pid,
    "process.runtime.name": "nodejs",
    "process.runtime.version": process.versions.node,
    "telemetry.distro.name": distribution,
    "telemetry.distro.version": distributionVersion,
    ...own,
    ...attributes
  }
})
