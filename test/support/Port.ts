/**
 * Free TCP ports of the loopback interface, for servers that must come back on the port they had.
 *
 * They are drawn below the range from which the kernel takes the ports of outgoing connections
 * (32768 and up on Linux): one of those could otherwise take the port while its server is down.
 */
import { randomInt } from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:net"

const [lowest, highest] = [12_000, 32_000]
/**
 * A server takes its port seconds after it was drawn. Test processes that run at once therefore draw from shares of
 * their own: Vitest numbers them from 1.
 */
const shares = 10
const share = Number(process.env["VITEST_POOL_ID"] ?? 0) % shares
const width = (highest - lowest) / shares

const drawn = new Set<number>()

export const freePort = async (): Promise<number> => {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = lowest + share * width + randomInt(width)
    if (drawn.has(port)) continue
    drawn.add(port)
    if (await isFree(port)) return port
  }
  throw new Error("no free TCP port found")
}

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer()
  try {
    await once(server.listen(port, "127.0.0.1"), "listening")
  } catch {
    return false
  }
  server.close()
  await once(server, "close")
  return true
}
