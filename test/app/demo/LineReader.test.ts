/** Lines of bytes: split at line feeds only, whatever the chunks, and never kept above the limit. */
import { assert, describe, it } from "@effect/vitest"
import * as LineReader from "../../../src/app/demo/LineReader.ts"

const read = (limit: number, chunks: ReadonlyArray<Uint8Array>) => {
  const reader = LineReader.make(limit)
  return [...chunks.flatMap(reader.push), ...reader.end()].map(({ bytes, length, number }) => [
    number,
    bytes?.toString("utf8"),
    length
  ])
}
const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8")

describe("lines", () => {
  it("are the same however the bytes are chunked", () => {
    const text = bytes("first\n\nłódź 🎉\r\nlast")
    const whole = read(100, [text])
    assert.deepStrictEqual(whole, [
      [1, "first", 5],
      [2, "", 0],
      [3, "łódź 🎉\r", 13],
      [4, "last", 4]
    ])
    for (let size = 1; size <= text.length; size++) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.subarray(i * size, (i + 1) * size)
      )
      assert.deepStrictEqual(read(100, chunks), whole, `chunks of ${size}`)
    }
  })

  it("do not end at separators that JSON may contain", () => {
    assert.deepStrictEqual(read(100, [bytes("a\u2028b\u2029c\u0085d\n")]), [[1, "a\u2028b\u2029c\u0085d", 12]])
  })

  it("above the limit are counted but not kept, and the next one is read", () => {
    assert.deepStrictEqual(read(4, [bytes("12345678"), bytes("9\n1234\n12345")]), [
      [1, undefined, 9],
      [2, "1234", 4],
      [3, undefined, 5]
    ])
  })

  it("no bytes are no line", () => {
    assert.deepStrictEqual(read(4, []), [])
    assert.deepStrictEqual(read(4, [bytes("")]), [])
  })
})
