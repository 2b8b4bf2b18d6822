/** Asks the API of this server. A token, if one was given, is a header of each request, and nowhere else. */
import type * as Reports from "../operations/Reports.ts"
import type * as WebReports from "../web/WebReports.ts"

export type Session = typeof WebReports.Session.Type
export type Work = typeof WebReports.Work.Type
export type Ps = (typeof Reports.byCommand)["ps"]["Type"]
export type Process = Ps["processes"][number]
export type Pause = (typeof Reports.byCommand)["pause"]["Type"]
export type Resume = (typeof Reports.byCommand)["resume"]["Type"]
export type Release = (typeof Reports.byCommand)["release"]["Type"]
export type Sources = typeof Reports.Sources.Type
export type Letters = typeof Reports.Letters.Type
export type Letter = typeof Reports.Letter.Type
export type LetterDetail = typeof Reports.LetterDetail.Type
export type Replay = typeof Reports.Replay.Type
export type Discard = typeof Reports.Discard.Type
export type Edit = typeof Reports.Edit.Type
export type Last = (typeof Reports.byCommand)["last"]["Type"]
export type History = (typeof Reports.byCommand)["history"]["Type"]
export type Topology = (typeof Reports.byCommand)["topology plan"]["Type"]
export type Doctor = typeof Reports.Doctor.Type

/** What could not be done, as the server says it. */
export class Failure extends Error {
  /** 0 where no server answered. */
  readonly status: number
  constructor(status: number, problem: string) {
    super(problem)
    this.status = status
  }
}

/** The tab remembers the token until it is closed, so that a reload asks for none. */
const place = "eventbus.token"

let token: string | undefined = sessionStorage.getItem(place) ?? undefined

export const hasToken = (): boolean => token !== undefined

export const setToken = (given: string | undefined): void => {
  token = given
  if (given === undefined) sessionStorage.removeItem(place)
  else sessionStorage.setItem(place, given)
}

type Query = Readonly<Record<string, string | number | ReadonlyArray<string> | undefined>>

export interface Asking {
  readonly query?: Query
  readonly body?: unknown
  readonly signal?: AbortSignal
}

const addressOf = (path: ReadonlyArray<string>, query: Query): string => {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== "") parameters.append(name, String(one))
  const text = parameters.toString()
  return `/api/${path.map(encodeURIComponent).join("/")}${text === "" ? "" : `?${text}`}`
}

const ask = async <A>(path: ReadonlyArray<string>, { body, query = {}, signal }: Asking): Promise<A> => {
  const response = await fetch(addressOf(path, query), {
    method: body === undefined ? "GET" : "POST",
    headers: {
      accept: "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": "application/json" })
    },
    cache: "no-store",
    redirect: "error",
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal !== undefined && { signal })
  }).catch((error: unknown) => {
    if (signal?.aborted === true) throw error
    throw new Failure(0, "the server does not answer: it may have stopped, or the network is away")
  })
  const found: unknown = await response.json().catch(() => undefined)
  // The server and this page are of one version, so what it answers is what its schemas say.
  if (response.ok) return found as A
  throw new Failure(response.status, problemOf(found) ?? `the server answered with status ${response.status}`)
}

const problemOf = (found: unknown): string | undefined =>
  typeof found === "object" && found !== null && "problem" in found && typeof found.problem === "string"
    ? found.problem
    : undefined

export const get = <A>(path: ReadonlyArray<string>, query: Query = {}, signal?: AbortSignal): Promise<A> =>
  ask<A>(path, { query, ...(signal !== undefined && { signal }) })

/** Without `apply` it is a dry run. */
export const post = <A>(
  path: ReadonlyArray<string>,
  body: unknown,
  { apply, signal, work }: { readonly apply: boolean; readonly work?: string; readonly signal?: AbortSignal }
): Promise<A> =>
  ask<A>(path, {
    body,
    query: { ...(apply && { apply: "true" }), work },
    ...(signal !== undefined && { signal })
  })

export const problem = (error: unknown): string => (error instanceof Error ? error.message : String(error))
