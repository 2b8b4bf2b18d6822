/** The options of what answers HTTP for a bus of Promises, and the answers without a bus. */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as OptionInvalid from "../../event/options/OptionInvalid.ts"
import type * as Kinds from "../../event/options/OptionKinds.ts"
import type { OperationsOptions, Operator, OperatorRequest } from "../http/OperationsServer.ts"
import { pathOf, paths } from "../http/Paths.ts"
import type { EndpointOptions } from "../http/Server.ts"
import { endpointKinds, operationsKinds } from "../OptionKinds.ts"

export type HttpHandlerOptions = Pick<EndpointOptions, "details">

export interface OperationsHandlerOptions extends Omit<OperationsOptions, "port" | "host" | "onListen" | "authorize"> {
  /** Who may do it: the operator, or undefined for those who may not. Nobody may when it rejects. */
  readonly authorize: (request: OperatorRequest) => Operator | undefined | PromiseLike<Operator | undefined>
}

const httpKinds: Kinds.Kinds = { details: endpointKinds.details } satisfies Kinds.KindsOf<HttpHandlerOptions>

const { host: _host, onListen: _onListen, port: _port, ...handlerKinds } = operationsKinds
const operationsHandlerKinds: Kinds.Kinds = handlerKinds satisfies Kinds.KindsOf<OperationsHandlerOptions>

/** Throws an `OptionInvalid` for the first wrong option. */
export const checkHttp = (options: HttpHandlerOptions): void => OptionInvalid.check("httpHandler", options, httpKinds)

/** The same for the operations. */
export const checkOperations = (options: OperationsHandlerOptions): void =>
  OptionInvalid.check("operationsHandler", options, operationsHandlerKinds)

/** Whether a request is for others. */
export const isForeign = (request: IncomingMessage): boolean => !paths.has(pathOf(request))

/** The answer of a bus that is closed. */
export const unavailable = (response: ServerResponse): void => {
  const body = JSON.stringify({ status: "down" })
  response.writeHead(503, {
    "content-type": "application/health+json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store"
  })
  response.end(body)
}
