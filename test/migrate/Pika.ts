/** A service in Python with `pika`, which Debian has as a package: its consumer and its producer are processes of their own. */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import { Event, Foreign } from "@eduflow/events"
import { Schema } from "effect"
import type { Book } from "../../examples/migrate/orders.ts"
import { canInstall, install } from "../support/install.ts"
import type { OldSystem } from "./Rehearsal.ts"

const execute = promisify(execFile)
/** Debian's modules belong to Debian's Python, which need not be the first on the path. */
const python = "/usr/bin/python3"

const hasPika = (): Promise<boolean> =>
  execute(python, ["-c", "import pika"]).then(
    () => true,
    () => false
  )

/** Installs pika where it is missing. */
export const installPika = async (): Promise<void> => {
  if (await hasPika()) return
  if (!canInstall()) throw new Error("Python has no module pika: apt-get install python3-pika")
  await install(["python3", "python3-pika"])
  if (!(await hasPika())) throw new Error("Debian's python3-pika was installed and cannot be imported")
}

export const queue = "python_orders"

/** A program of orders.py, and the lines that it prints. */
const start = async (what: "consume" | "produce", url: string) => {
  const child = spawn(python, [join(import.meta.dirname, "orders.py"), what, url, queue], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return { child, lines }
}

/** Ends it in the middle of whatever it does. */
const kill = async (child: ChildProcess): Promise<void> => {
  const exited = once(child, "exit")
  child.kill("SIGKILL")
  await exited
}

/** The name of the field is that of Python, so the codec gives data of the contract. */
const PythonOrder = Event.make("python.order.paid", {
  version: 1,
  data: Schema.Struct({ order_id: Schema.String }),
  key: ({ order_id }) => order_id
})

export const pika: OldSystem = {
  oldConsumer: async (url, book: Book) => {
    const { child, lines } = await start("consume", url)
    const reading = (async () => {
      for (let line = await lines.next(); line.done !== true; line = await lines.next())
        await book(line.value, line.value)
    })()
    return {
      stop: async () => {
        await kill(child)
        await reading
      }
    }
  },
  oldProducer: async (url) => {
    const { child, lines } = await start("produce", url)
    const pay = async (orderId: string): Promise<void> => {
      child.stdin.write(`${orderId}\n`)
      const answer = await lines.next()
      if (answer.value !== orderId) throw new Error(`pika answered ${answer.value}`)
    }
    return { pay, stop: () => kill(child) }
  },
  payInOldForm: (bus) => (orderId) =>
    bus.publishForeign({ queue }, PythonOrder, { order_id: orderId }, { id: orderId, type: "order_paid" }),
  readOldQueue: (bus, book) =>
    bus.subscribe("billing.old-orders", {
      events: Foreign.queue(queue, {
        codec: Foreign.json({
          id: ({ messageId }, data) => messageId ?? Schema.decodeUnknownSync(Order)(data).order_id
        }),
        types: { "*": PythonOrder }
      }),
      handler: (event) => book(event.data.order_id, event.id)
    })
}

const Order = Schema.Struct({ order_id: Schema.String })
