/** `eventbus grants` */
import * as Effect from "effect/Effect"
import type * as Reports from "../../operations/GrantsReport.ts"
import { printable, printableLines } from "../../event/FieldValue.ts"
import { type Common, run as withSession } from "../Session.ts"
import { UsageError } from "../UsageError.ts"

export type Format = "all" | "rabbitmqctl" | "definitions" | "redis"

/** It stands in commands of two servers, and in names of keys. */
const userGrammar = /^[a-z0-9-]{1,32}$/

export const run = (common: Common, user: string, format: Format) =>
  withSession(common, ({ known, operations, output }) =>
    Effect.gen(function* () {
      if (!userGrammar.test(user))
        return yield* new UsageError({ problem: "the name of a user is 1 to 32 characters of a-z, 0-9 and -" })
      const { contracts, publishes, specs, subscribers } = known
      if (contracts.size === 0 && subscribers.length === 0)
        return yield* new UsageError({
          problem: "rights follow from contracts: give the contracts module of the service with --contracts"
        })
      const report = yield* operations.grants({
        user,
        subscribers,
        publishes: publishes ?? [...contracts.keys()],
        // A process may also stream and watch the events that its module names.
        binds: [...new Set([...specs.flatMap(({ patterns }) => patterns), ...contracts.keys()])]
      })
      yield* output.report(report, () => linesOf(report, format))
    })
  )

const linesOf = ({ notes, rabbitmq, redis }: typeof Reports.Grants.Type, format: Format): ReadonlyArray<string> => {
  switch (format) {
    case "rabbitmqctl":
      return rabbitmq.commands.map(printable)
    case "redis":
      return redis.commands.map(printable)
    case "definitions":
      return [printableLines(JSON.stringify(rabbitmq.definitions, undefined, 2))]
    case "all":
      return [
        ...notes.map((note) => `# ${printable(note)}`),
        "# RabbitMQ",
        ...rabbitmq.commands.map(printable),
        "# Redis, in redis-cli",
        ...redis.commands.map(printable),
        "# Redis, for operators: they alone may pause subscribers",
        ...redis.operatorCommands.map(printable)
      ]
  }
}
