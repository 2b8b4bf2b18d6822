/** The proxies of one process to the nodes of a cluster, as one network. */
import { type Proxy, startProxy } from "../support/Proxy.ts"

export interface Proxies extends Proxy {
  /** In the order of the nodes. */
  readonly ports: ReadonlyArray<number>
  /** The node with most of the connections. */
  readonly busiest: () => number
}

export const startProxies = async (targets: ReadonlyArray<number>): Promise<Proxies> => {
  const each = await Promise.all(targets.map((port) => startProxy(port)))
  const [first] = each
  if (first === undefined) throw new Error("there is no node")
  const sum = (count: (proxy: Proxy) => number): number => each.reduce((total, proxy) => total + count(proxy), 0)
  const all = async (act: (proxy: Proxy) => Promise<void>): Promise<void> => void (await Promise.all(each.map(act)))
  const close = (): Promise<void> => all((proxy) => proxy.close())
  return {
    port: first.port,
    ports: each.map(({ port }) => port),
    busiest: () => {
      const counts = each.map((proxy) => proxy.connections())
      return counts.indexOf(Math.max(...counts))
    },
    connections: () => sum((proxy) => proxy.connections()),
    accepted: () => sum((proxy) => proxy.accepted()),
    stall: (direction) => each.forEach((proxy) => proxy.stall(direction)),
    slice: (bytes) => each.forEach((proxy) => proxy.slice(bytes)),
    throttle: (bytesPerSecond) => each.forEach((proxy) => proxy.throttle(bytesPerSecond)),
    swallow: () => each.forEach((proxy) => proxy.swallow()),
    resume: () => each.forEach((proxy) => proxy.resume()),
    reset: () => each.forEach((proxy) => proxy.reset()),
    lose: () => each.forEach((proxy) => proxy.lose()),
    finish: () => each.forEach((proxy) => proxy.finish()),
    leadTo: (port) => each.forEach((proxy) => proxy.leadTo(port)),
    refuse: (on) => all((proxy) => proxy.refuse(on)),
    close,
    [Symbol.asyncDispose]: close
  }
}
