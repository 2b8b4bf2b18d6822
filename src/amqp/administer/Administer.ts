/** The port `Administrator` over RabbitMQ. What it declares is declared by the adapter itself, as a service does. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Administrator, GrantedService } from "../../bus/port/Administration.ts"
import { Broker } from "../../bus/port/Broker.ts"
import type { BrokerError } from "../../bus/port/BrokerError.ts"
import * as AmqpBroker from "../AmqpBroker.ts"
import * as AmqpError from "../AmqpError.ts"
import { settle } from "../AmqpOptions.ts"
import { type Asked, attempt } from "../inspect/Attempt.ts"
import * as Topology from "../topology/Topology.ts"
import * as Access from "./Access.ts"
import { compare } from "./Compare.ts"
import * as Grants from "./Grants.ts"
import { retire } from "./Retire.ts"

const declared = Effect.fnUntraced(function* (connection: Asked, { assert, entity }: Topology.Declaration) {
  const answer = yield* attempt(connection, assert)
  if (answer._tag === "Done") return
  const words = answer._tag === "Silent" ? "no answer" : `${answer.code} (${answer.text})`
  return yield* AmqpError.refused(new Error(words), "declaring", entity, connection.username)
})

export type RabbitAdministrator = Omit<Administrator["Service"], "grants"> & {
  readonly grants: (service: GrantedService) => Effect.Effect<Rabbit, BrokerError>
}

type Rabbit = ReturnType<typeof Grants.of>

export const make = (options: Access.AdministerOptions): RabbitAdministrator => {
  const { management: _management, patience: _patience, ...amqp } = options
  return {
    namespace: options.namespace,
    compare: (wanted) => Effect.scoped(Effect.flatMap(Access.open(options), (access) => compare(access, wanted))),
    declare: ({ specs, wholeLadder = false }) =>
      Effect.scoped(
        Effect.gen(function* () {
          const layer = AmqpBroker.layer({ ...amqp, topology: "assert", waitForBroker: false })
          const broker = Context.get(yield* Layer.build(layer), Broker)
          yield* Effect.forEach(specs, broker.declare, { discard: true })
          // Services declare it behind their start, which ends here too early.
          const { connection } = yield* Access.open(options)
          const others = [
            ...(wholeLadder ? Topology.upperLevels(options.namespace) : []),
            ...Topology.canaries(options.namespace)
          ]
          yield* Effect.forEach(others, (one) => declared(connection, one), { discard: true })
        })
      ),
    retire: (target, wanted, how) =>
      Effect.scoped(Effect.flatMap(Access.open(options), (access) => retire(access, target, wanted, how))),
    grants: (service) =>
      Effect.map(Effect.fromResult(settle(amqp)), ({ namespace, servers }) =>
        Grants.of(namespace, servers[0]?.vhost ?? "/", service)
      )
  }
}
