/**
 * The ladder on which events wait: 20 levels, level n holding a message for 2^n seconds. The delay in
 * seconds, as 20 binary words, leads the routing key; a 1 waits on its level, a 0 passes by. Any whole
 * number of seconds up to 12 days, without a plugin and without one delay blocking another.
 */

export const levels = 20

/** `<ns>.delay.07`; both the exchange and the queue of a level are called so. */
export const levelName = (namespace: string, level: number): string =>
  `${namespace}.delay.${String(level).padStart(2, "0")}`

export const deliverExchange = (namespace: string): string => `${namespace}.delay.deliver`

/** Twenty words before the destination, exactly: `#` would let a destination pose as a delay. */
export const anyDelay = "*.".repeat(levels)

/** Destination of a copy for one subscriber. */
export const toSubscriber = (name: string): string => `to.${name}`
/** Destination of a delayed event. */
export const toEvent = (name: string): string => `publish.${name}`

const noDelay = "0.".repeat(levels)

/** Where a message enters: at the level of its highest set bit, or past all of them. */
export const entry = (
  namespace: string,
  seconds: number,
  destination: string
): { readonly exchange: string; readonly routingKey: string } => {
  if (seconds === 0) return { exchange: deliverExchange(namespace), routingKey: noDelay + destination }
  const bits = seconds.toString(2).padStart(levels, "0")
  return {
    exchange: levelName(namespace, levels - 1 - bits.indexOf("1")),
    routingKey: `${bits.split("").join(".")}.${destination}`
  }
}

/**
 * Where a message that came by the ladder was going. A message keeps the name of the exchange that it
 * was last published or dead-lettered to: `deliver` after its last wait, but a level's own name when
 * the bits below that level are 0, since passing from exchange to exchange does not change it.
 */
export const destination = (
  namespace: string,
  exchange: string,
  routingKey: string
): { readonly kind: "subscriber" | "event"; readonly name: string } | undefined => {
  if (!exchange.startsWith(`${namespace}.delay.`)) return undefined
  const text = routingKey.slice(levels * 2)
  if (text.startsWith("to.")) return { kind: "subscriber", name: text.slice(3) }
  return text.startsWith("publish.") ? { kind: "event", name: text.slice(8) } : undefined
}

/** Binding of a level: its own bit is the word at `levels - 1 - level`. */
export const bitPattern = (level: number, bit: "0" | "1"): string => `${"*.".repeat(levels - 1 - level)}${bit}.#`

/** Where a level hands on. */
export const below = (namespace: string, level: number): string =>
  level === 0 ? deliverExchange(namespace) : levelName(namespace, level - 1)
