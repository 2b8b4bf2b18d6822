/**
 * Whether a request may be answered at all, before anybody is asked who sent it. A page of another site can make a browser
 * send requests to this server, with its cookies; it cannot make it send JSON, nor hide where it comes from.
 */

/** What a request is about to do. */
export type Verb = "look" | "replay" | "discard" | "edit" | "pause" | "resume" | "release"

export interface Asked {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
}

export interface Refusal {
  readonly status: number
  readonly problem: string
}

/** The part of an address that names a host, without its port. */
const hostOf = (host: string): string =>
  host
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase()

const textOf = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "string" ? value : value?.[0]

/** A dry run looks. */
export const verbOf = ({ method, url }: Asked): Verb => {
  if (method !== "POST" || url.searchParams.get("apply") !== "true") return "look"
  const last = decoded(url.pathname.split("/").at(-1) ?? "")
  return verbs.find((verb) => verb === last) ?? "replay"
}

/** As the router reads it. */
const decoded = (word: string): string => {
  try {
    return decodeURIComponent(word)
  } catch {
    return word
  }
}

const verbs: ReadonlyArray<Verb> = ["discard", "edit", "pause", "resume", "release"]

/** Who is asking, as `authorize` found out; no header that came over the network has an effect. */
export const operatorHeader = "bus-operator"

export const refusalOf = (asked: Asked, hosts: ReadonlySet<string>, isReadOnly: boolean): Refusal | undefined => {
  const { headers, method } = asked
  const host = textOf(headers["host"]) ?? ""
  if (!hosts.has(hostOf(host)))
    return { status: 421, problem: "this server has another name: add it to `hosts` where it is meant" }
  if (method !== "GET" && method !== "POST") return { status: 405, problem: "only GET and POST are known here" }
  if (method === "GET") return undefined
  const site = textOf(headers["sec-fetch-site"])
  const origin = textOf(headers["origin"])
  if ((site !== undefined && site !== "same-origin" && site !== "none") || !isOwn(origin, host))
    return { status: 403, problem: "a page of another site may not ask this" }
  if (!/^application\/json\s*(?:;|$)/i.test(textOf(headers["content-type"]) ?? ""))
    return { status: 415, problem: "the body must be application/json" }
  if (isReadOnly && verbOf(asked) !== "look")
    return { status: 403, problem: "this server is read-only: it tells what would be done, without `apply`" }
  return undefined
}

const isOwn = (origin: string | undefined, host: string): boolean => {
  if (origin === undefined) return true
  try {
    return new URL(origin).host === host.toLowerCase()
  } catch {
    return false
  }
}
