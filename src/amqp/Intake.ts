/**
 * Takes messages out of a queue one at a time, on a channel that holds them until they are settled or
 * it closes. It consumes by windows: a consumer of which a whole window is held gets nothing more, and is
 * followed by another. Who acknowledges what it takes has two of them, which are filled again and again.
 *
 * What goes back keeps its order: of one consumer always, of 32 by their tags; beyond them window by window
 * in any order. `basic.get` would not: a quorum queue (3.10) takes back what was
 * got in the order of the delivery tags as texts, the tenth behind the first; nor would a nack of more
 * than 32.
 */
import type { Channel, Message } from "amqplib"
import * as AckTable from "./AckTable.ts"

export interface Intake {
  /** The next message, if it is here already. */
  readonly ready: () => Message | undefined
  /** The next message, or undefined when there is none. */
  readonly take: () => Promise<Message | undefined>
  /** False when it was settled before. */
  readonly settle: (message: Message) => boolean
  /** Sends the acknowledgements of this turn; throws when the channel is gone. */
  readonly flush: () => void
  /** How many messages are held. */
  readonly held: () => number
}

/** Bounded, since bodies may be large; as many as a subscriber holds when the first ones were small. */
const window = { first: 64, most: 250, bytes: 8 * 1024 * 1024 }
/** How often a queue must look empty, when more is expected of it than came. */
const looks = 20
/** What is on its way arrives meanwhile: each look costs the broker as much as a message. */
const pauseMillis = 5

const idle = (): void => {}

interface Waiter {
  readonly resolve: (message: Message | undefined) => void
  readonly reject: (error: unknown) => void
}

interface Consumer {
  readonly tag: string
  readonly window: number
  readonly held: Set<number>
}

/** `expected` is how many there were: a hint, others may take them. */
export const make = (channel: Channel, queue: string, expected: number): Intake => {
  // amqplib reads nothing but the tag of the message.
  const table = AckTable.make((deliveryTag, upTo) => channel.ack({ fields: { deliveryTag } } as Message, upTo))
  const buffer: Array<Message> = []
  const waiters: Array<Waiter> = []
  let consumer: Consumer | undefined
  let consumers = 0
  let arrived = 0
  let empties = 0
  let largest = 0
  let pumping = false
  let arrive = idle

  const give = (message: Message): void => {
    table.delivered(message.fields.deliveryTag)
    arrived++
    empties = 0
    largest = Math.max(largest, message.content.length)
    const waiter = waiters.shift()
    if (waiter === undefined) buffer.push(message)
    else waiter.resolve(message)
    arrive()
  }

  const consume = async (): Promise<void> => {
    // Its forerunner is not cancelled: what is on its way to one that is gone would end the connection.
    const size = consumer === undefined || largest * window.most > window.bytes ? window.first : window.most
    const own: Consumer = {
      tag: `letters-${String(++consumers).padStart(9, "0")}`,
      window: size,
      held: new Set()
    }
    // The prefetch of a channel is that of each consumer that comes after it.
    if (consumer?.window !== size) await channel.prefetch(size)
    consumer = own
    const deliver = (message: Message | null): void => {
      // Without one the broker has cancelled it: the next call says why.
      if (message === null) return
      own.held.add(message.fields.deliveryTag)
      give(message)
    }
    await channel.consume(queue, deliver, { consumerTag: own.tag })
  }

  /**
   * Whether there is nothing more. The broker may answer before it sends what is on its way to the
   * consumer: that comes before the next answer, or later where another node of a cluster sends it.
   */
  const isEmpty = async (): Promise<boolean> => {
    const { messageCount } = await channel.checkQueue(queue)
    if (messageCount === 0) empties++
    return empties >= (arrived < expected ? looks : 2)
  }

  /** Until something arrives, or for so long. */
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, pauseMillis)
      arrive = () => {
        arrive = idle
        clearTimeout(timer)
        resolve()
      }
    })

  const isFull = (): boolean => consumer === undefined || consumer.held.size >= consumer.window
  const pump = async (): Promise<void> => {
    try {
      while (waiters.length > 0) {
        if (isFull()) await consume()
        else {
          await pause()
          if (waiters.length === 0 || isFull() || !(await isEmpty())) continue
          for (const waiter of waiters.splice(0)) waiter.resolve(undefined)
        }
      }
    } catch (error) {
      for (const waiter of waiters.splice(0)) waiter.reject(error)
    } finally {
      pumping = false
    }
  }

  return {
    ready: () => buffer.shift(),
    take: () => {
      const message = buffer.shift()
      if (message !== undefined) return Promise.resolve(message)
      return new Promise((resolve, reject) => {
        waiters.push({ resolve, reject })
        if (pumping) return
        pumping = true
        void pump()
      })
    },
    settle: ({ fields }) => {
      consumer?.held.delete(fields.deliveryTag)
      return table.settle(fields.deliveryTag)
    },
    flush: table.flush,
    held: table.outstanding
  }
}
