/** FNV-1a (https://datatracker.ietf.org/doc/html/draft-eastlake-fnv) of 32 bits over UTF-16 code units, unsigned. */
export const of = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
