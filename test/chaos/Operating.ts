/**
 * What an operator changes on a broker that runs: the rights of a process, each of which has a user of its own, and a
 * policy. It is changed within the node, which takes milliseconds; `rabbitmqctl` takes seconds on a busy machine.
 */
import type { RabbitNode } from "../support/RabbitNode.ts"
import type { FaultKind } from "./Faults.ts"

const text = (value: string): string => `<<${JSON.stringify(value)}>>`
const by = text("chaos")
const vhost = text("/")
const everything = ".*"
const policy = text("chaos-delivery-limit")

const set = (user: string, write: string): string =>
  `rabbit_auth_backend_internal:set_permissions(${text(user)}, ${vhost}, ${text(everything)}, ${text(write)}, ${text(everything)}, ${by})`

/** Adds a user with all rights; its password is its name. Another run of this node may have it already. */
export const addUser = async (node: RabbitNode, user: string): Promise<void> => {
  const add = `rabbit_auth_backend_internal:add_user(${text(user)}, ${text(user)}, ${by})`
  await node.eval(`catch ${add}, ${set(user, everything)}, ok.`)
}

/** A channel keeps the rights that it has used, so the connections of the user end when its rights do. */
export const take = async (node: RabbitNode, user: string, kind: FaultKind, namespace: string): Promise<void> => {
  const close = `rabbit_networking:close_all_user_connections(${text(user)}, ${by})`
  await node.eval(`${taken(user, kind, namespace)}, ${close}, ok.`)
}

const taken = (user: string, kind: FaultKind, namespace: string): string => {
  switch (kind) {
    case "take-topic":
      return `rabbit_auth_backend_internal:set_topic_permissions(${text(user)}, ${vhost}, ${text(`${namespace}.events`)}, ${text("^chaos[.]tick$")}, ${text(everything)}, ${by})`
    case "take-write":
      return set(user, `^(?!${namespace}[.]events$)`)
    default:
      return set(user, `^(?!${namespace}[.](dead$|parked$|delay[.]))`)
  }
}

export const giveBack = async (node: RabbitNode, user: string, namespace: string): Promise<void> => {
  const clear = `rabbit_auth_backend_internal:clear_topic_permissions(${text(user)}, ${vhost}, ${text(`${namespace}.events`)}, ${by})`
  await node.eval(`catch ${clear}, ${set(user, everything)}, ok.`)
}

/** A queue's delivery limit is the smaller one of its own and this one. */
export const setLimit = async (node: RabbitNode, namespace: string): Promise<void> => {
  const definition = `[{${text("delivery-limit")}, 3}]`
  await node.eval(
    `ok = rabbit_policy:set(${vhost}, ${policy}, ${text(`^${namespace}[.]`)}, ${definition}, 0, ${text("queues")}, ${by}), ok.`
  )
}

export const clearLimit = async (node: RabbitNode): Promise<void> =>
  void (await node.eval(`rabbit_policy:delete(${vhost}, ${policy}, ${by}), ok.`))
