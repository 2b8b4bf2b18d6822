/** The rights of a service as commands of `rabbitmqctl`, and as definitions to import. */
import type { GrantedService, Grants } from "../../bus/port/Administration.ts"
import { quote } from "../../bus/support/Notes.ts"
import * as Rights from "../topology/Rights.ts"

const literals = (names: ReadonlyArray<string>): ReadonlyArray<string> => names.map(Rights.literal)

export const of = (
  namespace: string,
  vhost: string,
  { binds, publishes, subscribers, user }: GrantedService
): Grants["rabbitmq"] => {
  const service = {
    subscribers: literals(subscribers),
    publishes: literals(publishes),
    binds: literals(binds)
  }
  const permissions = Rights.permissions(namespace, service)
  const topicPermissions = Rights.topicPermissions(namespace, service)
  const words = (...rest: ReadonlyArray<string>): string => ["-p", vhost, user, ...rest].map(quote).join(" ")
  const { configure, read, write } = permissions
  return {
    vhost,
    permissions,
    topicPermissions,
    commands: [
      `rabbitmqctl add_user ${quote(user)} '<password>'`,
      `rabbitmqctl set_permissions ${words(configure, write, read)}`,
      ...topicPermissions.map(
        (topic) => `rabbitmqctl set_topic_permissions ${words(topic.exchange, topic.write, topic.read)}`
      )
    ],
    definitions: {
      users: [
        {
          name: user,
          password_hash: "<what rabbitmqctl hash_password prints>",
          hashing_algorithm: "rabbit_password_hashing_sha256",
          tags: ""
        }
      ],
      permissions: [{ user, vhost, ...permissions }],
      topic_permissions: topicPermissions.map((topic) => ({ user, vhost, ...topic }))
    }
  }
}
