/**
 * The exchanges and queues of other systems on the embedded broker. There is no other system, so each of them exists as soon as
 * it is named: a binding decides what kind of exchange it is. All clients of one server share them, whatever their namespace.
 */
import type { Outgoing } from "../../bus/port/Broker.ts"
import type { ForeignBinding } from "../../bus/port/ForeignPlace.ts"
import { topicMatches } from "../../event/Name.ts"
import type { MemoryQueue } from "../MemoryQueue.ts"

interface Bound {
  readonly queue: MemoryQueue
  readonly binding: ForeignBinding
}

export class ForeignObjects {
  private readonly makeQueue: (name: string) => MemoryQueue
  private readonly made = new Map<string, MemoryQueue>()
  private readonly bound = new Map<string, Map<string, Bound>>()

  constructor(makeQueue: (name: string) => MemoryQueue) {
    this.makeQueue = makeQueue
  }

  queue(name: string): MemoryQueue {
    let queue = this.made.get(name)
    if (queue === undefined) this.made.set(name, (queue = this.makeQueue(name)))
    return queue
  }

  queues(): Iterable<MemoryQueue> {
    return this.made.values()
  }

  bind(queue: MemoryQueue, binding: ForeignBinding): void {
    const { exchange, routingKey } = binding
    const key = JSON.stringify([queue.name, routingKey, binding.arguments])
    let bindings = this.bound.get(exchange)
    if (bindings === undefined) this.bound.set(exchange, (bindings = new Map<string, Bound>()))
    bindings.set(key, { queue, binding })
  }

  /** The queue is deleted, and its bindings with it. */
  unbind(queue: MemoryQueue): void {
    for (const bindings of this.bound.values())
      for (const [key, one] of bindings) if (one.queue === queue) bindings.delete(key)
  }

  /** Puts a message into each queue that it is routed to, once; returns whether there was one. */
  place(
    message: Outgoing,
    { exchange, routingKey }: { readonly exchange: string; readonly routingKey: string }
  ): boolean {
    if (exchange === "") {
      const queue = this.made.get(routingKey)
      queue?.push(message)
      return queue !== undefined
    }
    const reached = new Set<MemoryQueue>()
    for (const { binding, queue } of this.bound.get(exchange)?.values() ?? [])
      if (isRouted(binding, routingKey, message)) reached.add(queue)
    for (const queue of reached) queue.push(message)
    return reached.size > 0
  }
}

const isRouted = (binding: ForeignBinding, routingKey: string, { headers }: Outgoing): boolean => {
  const match = binding.arguments["x-match"]
  if (match !== undefined) {
    const wanted = Object.entries(binding.arguments).filter(([name]) => !name.startsWith("x-"))
    const isEqual = ([name, value]: (typeof wanted)[number]): boolean => headers[name] === value
    return match === "any" ? wanted.some(isEqual) : wanted.every(isEqual)
  }
  // A fanout exchange is bound without a key, and one that hashes by a weight: a single queue gets all of it.
  if (binding.routingKey === "" || /^\d+$/.test(binding.routingKey)) return true
  return topicMatches(binding.routingKey.split("."), routingKey.split("."))
}
