/**
 * Splits bytes into lines at line feeds and nothing else: JSON may contain every other line separator of Unicode. A
 * line above the limit is counted but not kept, so that no input takes more memory than one line of that length.
 */

export interface RawLine {
  /** The first line is 1. */
  readonly number: number
  /** Without the line feed; undefined if the line is above the limit. */
  readonly bytes: Buffer | undefined
  /** Number of bytes, kept or not. */
  readonly length: number
}

export interface LineReader {
  /** The lines that end in this chunk. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<RawLine>
  /** The bytes after the last line feed, if there are any. */
  readonly end: () => ReadonlyArray<RawLine>
}

const lineFeed = 0x0a

export const make = (limit: number): LineReader => {
  let number = 0
  let length = 0
  let parts: Array<Uint8Array> = []

  const keep = (part: Uint8Array): void => {
    length += part.length
    if (length > limit) parts = []
    // A copy, so that the rest of the chunk can be freed.
    else if (part.length > 0) parts.push(Uint8Array.from(part))
  }
  const cut = (): RawLine => {
    const line = { number: ++number, bytes: length > limit ? undefined : Buffer.concat(parts), length }
    parts = []
    length = 0
    return line
  }

  return {
    push: (chunk) => {
      const lines: Array<RawLine> = []
      let from = 0
      for (;;) {
        const to = chunk.indexOf(lineFeed, from)
        if (to < 0) break
        keep(chunk.subarray(from, to))
        lines.push(cut())
        from = to + 1
      }
      keep(chunk.subarray(from))
      return lines
    },
    end: () => (length > 0 ? [cut()] : [])
  }
}
