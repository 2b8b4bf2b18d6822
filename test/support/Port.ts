/**
 * Free TCP ports of the loopback interface, for servers that must come back on the port they had.
 *
 * They are drawn below the range from which the kernel takes the ports of outgoing connections
 * (32768 and up on Linux): one of those could otherwise take the port while its server is down.
 */
import { randomInt } from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:net"

export const freePort = async (): Promise<number> => {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(12_000, 32_000)
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
