/** The paths of health and metrics. */
import type { IncomingMessage } from "node:http"

export const pathOf = ({ url = "" }: IncomingMessage): string => url.split("?", 1)[0] ?? ""

export const paths: ReadonlySet<string> = new Set(["/health", "/health/live", "/health/ready", "/metrics"])
