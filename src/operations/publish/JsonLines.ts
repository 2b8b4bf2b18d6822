/**
 * Splits bytes into lines, one JSON value each. A line is held until it ends and no longer than the largest body, so that
 * no input exhausts memory. Empty lines are passed over and counted.
 */
import * as Result from "effect/Result"
import * as Json from "../../event/Json.ts"
import * as Limits from "../../event/Limits.ts"

export interface Line {
  /** From 1 up, as editors count. */
  readonly number: number
  /** The value, or why it is none: words that quote nothing of the line. */
  readonly value: Result.Result<unknown, string>
}

const newline = 0x0a

export async function* jsonLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Line, void> {
  let number = 0
  const held = new HeldLine()
  for await (const chunk of bytes) {
    let from = 0
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      held.add(chunk.subarray(from, at))
      from = at + 1
      number++
      const value = held.take()
      if (value !== undefined) yield { number, value }
    }
    held.add(chunk.subarray(from))
  }
  number++
  const value = held.take()
  if (value !== undefined) yield { number, value }
}

/** The bytes of a line that has not ended yet. */
class HeldLine {
  private parts: Array<Uint8Array> = []
  private bytes = 0

  add(part: Uint8Array): void {
    this.bytes += part.length
    if (this.bytes <= Limits.defaults.bodyBytes) this.parts.push(part)
    // What is too long is only counted.
    else this.parts = []
  }

  /** Its value, or undefined where it is empty; nothing is held after that. */
  take(): Line["value"] | undefined {
    const { bytes, parts } = this
    this.parts = []
    this.bytes = 0
    if (bytes > Limits.defaults.bodyBytes)
      return Result.fail(`the line has ${bytes} bytes, at most ${Limits.defaults.bodyBytes} are allowed`)
    const line = Buffer.concat(parts)
    return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d) ? undefined : parse(line)
  }
}

/** The JSON value of a text from outside. */
export const parse = (text: Buffer): Line["value"] => {
  const fault = Limits.bodyFault(text, Limits.defaults)
  return fault === undefined ? Json.parse(text.toString("utf8"), "the data") : Result.fail(fault)
}
