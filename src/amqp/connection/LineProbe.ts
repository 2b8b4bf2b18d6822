/**
 * Asks through a connection whether the broker still works for it. A node that was cut off from its cluster answers every
 * method and heartbeat by itself: what it cannot do is store a message on a quorum queue. So the question is a small
 * message to the queue of canaries, which is dropped there after a second.
 */
import type { ChannelModel } from "amqplib"
import * as Effect from "effect/Effect"
import * as AmqplibInternals from "../AmqplibInternals.ts"
import * as Ladder from "../topology/DelayLadder.ts"
import * as Topology from "../topology/Topology.ts"
import type { OpenConnection } from "./Dial.ts"

/** `"stored"` by a majority of nodes; or `"answered"` by the node alone, where the user may not publish there. */
export type Answer = "stored" | "answered"

const nothing = Buffer.alloc(0)

export class LineProbe {
  /** Fails when the connection is gone; waits for as long as there is no answer. */
  readonly ask: Effect.Effect<Answer, unknown>
  /** The same, by the node alone. */
  readonly askNode: Effect.Effect<Answer, unknown>
  private readonly model: ChannelModel
  private readonly exchange: string
  private readonly routingKey: string
  /** Until it is denied, or reaches no queue. */
  private isPossible = true

  constructor({ model }: OpenConnection, namespace: string) {
    this.model = model
    this.exchange = Ladder.deliverExchange(namespace)
    this.routingKey = Ladder.entry(namespace, 0, Ladder.toSubscriber(`${Topology.canaryPrefix}.line`)).routingKey
    this.ask = Effect.suspend(() => (this.isPossible ? Effect.tryPromise(() => this.store()) : this.askNode))
    this.askNode = Effect.tryPromise(async (): Promise<Answer> => {
      const { channel } = await AmqplibInternals.openChannel(model, () => model.createChannel())
      await channel.close()
      return "answered"
    })
  }

  private async store(): Promise<Answer> {
    const { model } = this
    const { channel } = await AmqplibInternals.openChannel(model, () => model.createConfirmChannel())
    const answer = await new Promise<Answer>((resolve) => {
      const impossible = (): void => {
        this.isPossible = false
        resolve("answered")
      }
      channel.on("return", impossible)
      channel.on("error", impossible)
      channel.publish(
        this.exchange,
        this.routingKey,
        nothing,
        { mandatory: true, persistent: true },
        (error: unknown) => resolve(error === null || error === undefined ? "stored" : "answered")
      )
    })
    try {
      await channel.close()
    } catch {
      // Denied, it is closed already.
    }
    return answer
  }
}
