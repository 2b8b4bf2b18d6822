/** Calls that RabbitMQ answers: declarations, bindings, a channel's opening and the like. */
import * as Effect from "effect/Effect"
import { BrokerError } from "../../bus/port/BrokerError.ts"
import { BrokerRefused } from "../../bus/port/BrokerReason.ts"
import * as AmqpError from "../AmqpError.ts"

/** Runs a call of amqplib; `operation` and `entity` name it in errors. */
export type Call = <A>(operation: string, entity: string, run: () => Promise<A>) => Effect.Effect<A, BrokerError>

/** Calls that fail when they are not answered in time, and with a reason of the bus when RabbitMQ refuses them. */
export const make =
  (timeoutMillis: number, username: string, claims: () => string | undefined = () => undefined): Call =>
  (operation, entity, run) =>
    Effect.tryPromise({
      try: run,
      catch: (error) => AmqpError.refused(error, operation, entity, username, claims())
    }).pipe(
      Effect.timeoutOrElse({
        duration: timeoutMillis,
        orElse: () =>
          Effect.fail(
            new BrokerError({
              reason: new BrokerRefused({
                operation,
                detail: `no answer within ${timeoutMillis} ms: look at the load of RabbitMQ, or raise callTimeout`
              })
            })
          )
      })
    )
