/**
 * Cuts bytes into lines at line feeds, and at nothing else: JSON may hold every other separator that
 * Unicode knows. A line beyond the limit is counted and not kept, so that no input, however long its
 * lines, takes more memory than one line may have.
 */

export interface RawLine {
  /** From 1 up. */
  readonly number: number
  /** Without the line feed; undefined when it was beyond the limit. */
  readonly bytes: Buffer | undefined
  /** How many bytes it had, kept or not. */
  readonly length: number
}

export interface LineReader {
  /** The lines that end in this chunk. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<RawLine>
  /** What came after the last line feed. */
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
    // A copy: the rest of the chunk is not held for the sake of its last bytes.
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
