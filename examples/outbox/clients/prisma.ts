import type { Execute } from "@eduflow/events/outbox"
import { PrismaPg } from "@prisma/adapter-pg"
import { AccountClosed } from "../../events.ts"
import { PrismaClient } from "./prisma/generated/client.ts"
import { refunds, report } from "./refunds.ts"

const on =
  (client: Pick<PrismaClient, "$queryRawUnsafe">): Execute =>
  (text, parameters) =>
    client.$queryRawUnsafe(text, ...parameters)

export const main = async (url: string) => {
  const prisma = new PrismaClient({ adapter: new PrismaPg(url) })
  try {
    return await refunds({
      dialect: "postgres",
      execute: on(prisma),
      closeAccount: (outbox, userId) =>
        prisma.$transaction(async (tx) => {
          await tx.account.create({ data: { userId, closed: true } })
          await outbox.append(on(tx), AccountClosed, { userId })
        }),
      refund: (outbox, event) =>
        prisma.$transaction(async (tx) => {
          if (!(await outbox.isFirst(on(tx), "billing.refunds", event))) return
          await tx.$executeRaw`INSERT INTO refunds (user_id) VALUES (${event.data.userId})`
        })
    })
  } finally {
    await prisma.$disconnect()
  }
}

if (import.meta.main) await report(main)
