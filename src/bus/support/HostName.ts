/** The host of an address, as other tools write it (RFC 3986, section 3.2.2). */
import { domainToASCII } from "node:url"

const ascii = /^[\u0021-\u007e]+$/
const delimiters = /[\s/?#@:[\]%\\]/

/**
 * The name that a host of a URL stands for: percent-encoded octets are decoded, an international name becomes its ASCII
 * form, and the brackets of an IPv6 address are taken off. Undefined if it is no name of a host.
 */
export const read = (host: string): string | undefined => {
  const address = /^\[(.*)\]$/.exec(host)?.[1]
  if (address !== undefined) return address
  let name: string
  try {
    name = decodeURIComponent(host)
  } catch {
    return undefined
  }
  if (name === "" || delimiters.test(name)) return undefined
  if (ascii.test(name)) return name
  const international = domainToASCII(name)
  return international === "" ? undefined : international
}
