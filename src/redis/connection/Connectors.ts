/**
 * How ioredis opens its sockets. Its own connectors keep the options that they were made with; these ask for certificates
 * at each connect. Those of a cluster's nodes also report why they fail, and end with the cluster: the connections by which
 * ioredis asks for slots do neither.
 */
import { AbstractConnector, type RedisOptions, SentinelConnector, type StandaloneConnectionOptions } from "ioredis"
import { connect as connectPlain, type Socket } from "node:net"
import { connect as connectTls, type ConnectionOptions } from "node:tls"
import type { TlsOptions } from "../../bus/support/TlsOptions.ts"
import { FreshTls, partsOf } from "./Tls.ts"

/** What connects, and hears why it fails. */
export interface Owner {
  readonly report: (error: unknown) => void
  /** Those that wait for certificates. */
  readonly openings: Set<AbortController>
}

/** A class that ioredis makes with the options of the connection. */
type Connector = NonNullable<RedisOptions["Connector"]>

/** To a server, be it alone or of a cluster. */
export const toServer = (tls: TlsOptions | FreshTls | undefined, owner?: Owner): Connector =>
  class extends AbstractConnector {
    private readonly options: StandaloneConnectionOptions
    private opening = new AbortController()

    constructor(given: unknown) {
      // ioredis makes it with the options of the connection.
      const options = given as StandaloneConnectionOptions & { readonly disconnectTimeout: number }
      super(options.disconnectTimeout)
      this.options = options
    }

    async connect(): Promise<Socket> {
      this.opening = new AbortController()
      const { host, port = 6379 } = this.options
      const place = { ...(host !== undefined && { host }), port }
      const parts = tls instanceof FreshTls ? await this.next(tls) : tls && partsOf(tls)
      const socket = parts === undefined ? connectPlain(place) : connectTls({ ...place, ...parts })
      socket.once("error", (error) => {
        this.firstError = error
        owner?.report(error)
      })
      this.stream = socket
      return socket
    }

    override disconnect(): void {
      this.opening.abort()
      super.disconnect()
    }

    private async next(fresh: FreshTls): Promise<ConnectionOptions> {
      const { opening } = this
      owner?.openings.add(opening)
      try {
        return await fresh.next(opening.signal)
      } finally {
        owner?.openings.delete(opening)
      }
    }
  }

/** To the master that sentinels name, and to the sentinels. */
export const throughSentinels = (tls: FreshTls): Connector =>
  class extends SentinelConnector {
    private opening = new AbortController()

    constructor(given: unknown) {
      // ioredis makes it with the options of the connection.
      super(given as ConstructorParameters<typeof SentinelConnector>[0])
    }

    override async connect(
      report: Parameters<SentinelConnector["connect"]>[0]
    ): ReturnType<SentinelConnector["connect"]> {
      this.opening = new AbortController()
      const parts = await tls.next(this.opening.signal)
      this.options = { ...this.options, tls: parts, sentinelTLS: parts }
      return super.connect(report)
    }

    override disconnect(): void {
      this.opening.abort()
      super.disconnect()
    }
  }
