/**
 * The ladder on which events wait: 20 levels, of which level n holds a message for 2^n seconds. The routing key begins
 * with the delay in seconds as 20 binary words: a 1 waits on its level, a 0 passes it. So any whole number of seconds up
 * to 12 days is possible, without a plugin, and no delay blocks another one.
 *
 * The exchanges of all levels are always there, since a message passes them. The queue of a level other than the first
 * is declared when a message is to wait there (`LadderLevels`). A set of levels is a number whose bit n is level n: a
 * delay in seconds is the set of levels on which it waits.
 */

export const levels = 20

/** `<ns>.delay.07`: the name of both the exchange and the queue of a level. */
export const levelName = (namespace: string, level: number): string =>
  `${namespace}.delay.${String(level).padStart(2, "0")}`

export const deliverExchange = (namespace: string): string => `${namespace}.delay.deliver`

/** Exactly twenty words before the destination: with `#` a destination could pose as a delay. */
export const anyDelay = "*.".repeat(levels)

/** The destination of a copy for one subscriber. */
export const toSubscriber = (name: string): string => `to.${name}`
/** The destination of a delayed event. */
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
 * The destination of a message that came over the ladder; undefined for any other message. A message keeps the name of
 * the exchange that it was last published or dead-lettered to. This is `deliver` after its last wait, but the name of a
 * level when all bits below that level are 0: passing from exchange to exchange does not change it.
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

/** The binding of a level: its bit is the word at `levels - 1 - level`. */
export const bitPattern = (level: number, bit: "0" | "1"): string => `${"*.".repeat(levels - 1 - level)}${bit}.#`

/** The levels of this set, lowest first. */
export const levelsOf = (set: number): ReadonlyArray<number> =>
  Array.from({ length: levels }, (_, level) => level).filter((level) => ((set >>> level) & 1) === 1)

/** The level at which a delay begins. */
export const firstOf = (seconds: number): number => 31 - Math.clz32(seconds)

/** The longest delay of at most `seconds`, and of at least one, that waits on none of the levels of `absent`. */
export const within = (seconds: number, absent: number): number => {
  const unusable = seconds & absent
  if (unusable === 0) return seconds
  const lower = 2 ** firstOf(unusable)
  return Math.max(1, (seconds & ~(lower * 2 - 1)) | ((lower - 1) & ~absent))
}

/** The exchange that a level passes messages to. */
export const below = (namespace: string, level: number): string =>
  level === 0 ? deliverExchange(namespace) : levelName(namespace, level - 1)
