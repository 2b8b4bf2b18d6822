/** The numbers of AMQP 0-9-1, big-endian, in received bytes. What lies behind the end reads as zero. */

export const uint16 = (bytes: Buffer, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)

export const uint32 = (bytes: Buffer, at: number): number =>
  (bytes[at] ?? 0) * 0x1000000 + (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0))

export const uint64 = (bytes: Buffer, at: number): number => uint32(bytes, at) * 2 ** 32 + uint32(bytes, at + 4)
