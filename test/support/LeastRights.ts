/** A user of a RabbitMQ node with the rights of a service, and no others. */
import * as Rights from "../../src/amqp/topology/Rights.ts"
import type { RabbitNode } from "./RabbitNode.ts"

/** Returns the url of the user `least`. */
export const addLeast = async (rabbit: RabbitNode, namespace: string, service: Rights.Service): Promise<string> => {
  const url = await rabbit.addUser("least", "least", Rights.permissions(namespace, service))
  for (const { exchange, read, write } of Rights.topicPermissions(namespace, service))
    await rabbit.ctl("set_topic_permissions", "-p", "/", "least", exchange, write, read)
  return url
}
