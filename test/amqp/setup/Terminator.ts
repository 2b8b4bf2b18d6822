/** Ends TLS in front of a broker and passes plain text to it, so that a test decides about certificates. */
import { Effect } from "effect"
import { once } from "node:events"
import { connect } from "node:net"
import { createServer, type TlsOptions, type TLSSocket } from "node:tls"

export const terminate = (target: number, options: TlsOptions) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const open = new Set<TLSSocket>()
        const server = createServer(options, (socket) => {
          open.add(socket)
          socket.once("close", () => open.delete(socket))
          const plain = connect(target, "127.0.0.1")
          for (const end of [socket, plain]) end.on("error", () => {})
          socket.pipe(plain)
          plain.pipe(socket)
        })
        await once(server.listen(0, "localhost"), "listening")
        return { open, server }
      }),
      ({ server }) => Effect.sync(() => server.close())
    ),
    ({ open, server }) => {
      const address = server.address()
      return {
        port: typeof address === "object" && address !== null ? address.port : 0,
        /** New connections get this certificate, and are asked for one of this authority. */
        renew: (context: TlsOptions) => server.setSecureContext(context),
        breakAll: () => open.forEach((socket) => socket.destroy())
      }
    }
  )
