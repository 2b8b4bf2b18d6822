/**
 * What exports say of the process that they come from, by OpenTelemetry's conventions
 * (https://opentelemetry.io/docs/specs/semconv/resource/). The environment has the last word.
 */
import { randomUUID } from "node:crypto"
import { arch, hostname, platform } from "node:os"
import { library } from "../../bus/Diagnosis.ts"
import type { Settings } from "./Settings.ts"

const [distribution = "", distributionVersion = ""] = library.split(" ")
/** Their values by the conventions, where they differ from Node's. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "x86", arm: "arm32" }
const systems: Readonly<Record<string, string>> = { win32: "windows", sunos: "solaris" }

/** Made once for all signals, so that they name the same instance. */
export const make = (
  { attributes, serviceName }: Pick<Settings, "attributes" | "serviceName">,
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
