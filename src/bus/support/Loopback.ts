/** Whether an address or a host name is this machine. */
import { isIPv4 } from "node:net"

export const isLoopback = (host: string): boolean => {
  const address = host.startsWith("::ffff:") ? host.slice("::ffff:".length) : host
  return host === "localhost" || host === "::1" || (isIPv4(address) && address.startsWith("127."))
}
