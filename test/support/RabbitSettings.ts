/** What a RabbitMQ node is given before it starts: its settings, the files that they name, and a container with both. */
import { containerMachine } from "./Container.ts"
import type { Machine } from "./Machine.ts"
import type { RabbitOptions } from "./RabbitNode.ts"
import type { Scratch } from "./Scratch.ts"

export type Given = Required<Pick<RabbitOptions, "conf" | "files">>

export const configFile = (listener: string, folder: string, { conf }: Given): string =>
  Object.entries({
    "listeners.tcp.1": listener,
    "vm_memory_high_watermark.absolute": "1GB",
    "disk_free_limit.absolute": "20MB",
    "raft.wal_max_size_bytes": "67108864", // the default, 512 MB, is held in memory as well
    ...conf
  })
    .map(([key, value]) => `${key} = ${value.replace(/^FILES\//, `${folder}/`)}\n`)
    .join("")

export const rabbitContainer = (
  scratch: Scratch,
  image: string,
  port: number,
  given: Given,
  plugins: ReadonlyArray<string>,
  erlang: ReadonlyArray<string>
): Machine =>
  containerMachine({
    scratch,
    image,
    port,
    innerPort: 5672,
    env: {
      EVENTBUS_CONF: configFile("5672", "/etc/rabbitmq", given),
      ...Object.fromEntries(Object.values(given.files).map((text, index) => [`EVENTBUS_FILE_${index}`, text])),
      EVENTBUS_PLUGINS: `[${plugins.join(",")}].`,
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: erlang.join(" ")
    },
    command: [
      "sh",
      "-c",
      `${Object.keys(given.files)
        .map((name, index) => `printf '%s' "$EVENTBUS_FILE_${index}" > /etc/rabbitmq/${name} && `)
        .join(
          ""
        )}printf '%s' "$EVENTBUS_CONF" > /etc/rabbitmq/conf.d/90-eventbus.conf && printf '%s' "$EVENTBUS_PLUGINS" > /etc/rabbitmq/enabled_plugins && exec docker-entrypoint.sh rabbitmq-server`
    ]
  })
