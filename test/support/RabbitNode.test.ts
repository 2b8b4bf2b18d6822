/** Nodes of RabbitMQ for tests: what fault tests rely on. */
import { connect as connectAmqp } from "amqplib"
import { afterAll, assert, beforeAll, expect, it } from "vitest"
import { describeLive, freshNamespace, rabbitUrl } from "./live.ts"
import { findBroker } from "./provision.ts"
import { type RabbitNode, startRabbit } from "./RabbitNode.ts"

describeLive(
  "a RabbitMQ node of its own",
  () => {
    let node: RabbitNode
    beforeAll(async () => {
      node = await startRabbit()
    })
    afterAll(() => node.stop())

    it("keeps a confirmed message of a quorum queue through SIGKILL, beside the shared node", async () => {
      const queue = freshNamespace()
      const before = await connectAmqp(node.url)
      before.on("error", () => {})
      const channel = await before.createConfirmChannel()
      channel.on("error", () => {})
      await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } })
      channel.sendToQueue(queue, Buffer.from("kept"), { persistent: true })
      await channel.waitForConfirms()
      await node.flush()
      const cut = new Promise((resolve) => before.once("close", resolve))
      await node.kill()
      await cut
      await (await connectAmqp(rabbitUrl())).close() // the other node did not notice

      await node.restart()
      const after = await connectAmqp(node.url)
      after.on("error", () => {})
      const reader = await after.createChannel()
      const message = await reader.get(queue, { noAck: true })
      assert(message !== false)
      expect(message.content.toString()).toBe("kept")
      await after.close()
      expect(await node.ctl("list_queues", "name", "--no-table-headers")).toBe(queue)
    })

    it("boots from the file of its kind, and knows its modules by their own folders", async (context) => {
      if ((await findBroker("rabbitmq")).kind === "docker") return context.skip("boot files are for installed nodes")
      const named = (): Promise<string> => node.eval("{ok, [[Boot]]} = init:get_argument(boot), list_to_atom(Boot).")
      if (!(await named()).includes("eventbus")) await node.restart() // the first of its kind has written the file
      const boot = await named()
      expect(boot).toBe(await node.eval('list_to_atom(filename:rootname(os:getenv("EVENTBUS_BOOT_FILE"))).'))
      const folders = '[filename:dirname(code:which(rabbit)), filename:join(code:lib_dir(rabbit), "ebin")]'
      expect(await node.eval(`length(lists:usort(${folders})).`)).toBe("1")
    })

    it("has vhosts and users with rights", async () => {
      const vhostUrl = await node.addVhost("school/7")
      await (await connectAmqp(vhostUrl)).close()
      const userUrl = await node.addUser("reader", "p@ss/word", { vhost: "school/7", configure: "^$", write: "^$" })
      const connection = await connectAmqp(userUrl)
      const channel = await connection.createChannel()
      channel.on("error", () => {})
      await expect(channel.assertQueue("mine")).rejects.toThrow("ACCESS_REFUSED")
      await connection.close()
    })

    it("runs commands inside of the node that do what those of rabbitmqctl do", async () => {
      await node.addVhost("works")
      await node.addUser("worker", "first", { vhost: "works", configure: "^c", write: "^w", read: "^r" })
      await node.ctl("change_password", "worker", "sec<ond>")
      await node.ctl("set_topic_permissions", "--vhost", "works", "worker", "amq.topic", "^tw", "^tr")
      for (const name of ["short", "gone"])
        await node.ctl("set_policy", "-p", "works", name, "^s", '{"max-length":7}', "--apply-to", "queues")
      await node.ctl("clear_policy", "--vhost", "works", "gone")
      // Not known in RabbitCommands.ts: rabbitmqctl itself tells what there is now.
      const definitions = JSON.parse(await node.ctl("export_definitions", "-", "--format", "json"))
      const here = <A extends { readonly vhost: string }>(list: ReadonlyArray<A>): ReadonlyArray<A> =>
        list.filter(({ vhost }) => vhost === "works")
      expect(here(definitions.permissions)).toHaveLength(2)
      expect(here(definitions.permissions)).toEqual(
        expect.arrayContaining([
          { user: "guest", vhost: "works", configure: ".*", write: ".*", read: ".*" },
          { user: "worker", vhost: "works", configure: "^c", write: "^w", read: "^r" }
        ])
      )
      expect(here(definitions.topic_permissions)).toMatchObject([
        { user: "worker", exchange: "amq.topic", write: "^tw", read: "^tr" }
      ])
      expect(here(definitions.policies)).toMatchObject([
        { name: "short", pattern: "^s", "apply-to": "queues", definition: { "max-length": 7 }, priority: 0 }
      ])

      const url = node.url.replace("guest:guest", `worker:${encodeURIComponent("sec<ond>")}`)
      const connection = await connectAmqp(`${url}/works`)
      const closed = new Promise((resolve) => connection.once("close", resolve))
      const channel = await connection.createChannel()
      channel.on("error", () => {})
      for (const queue of ["c1", "c2é"]) await channel.assertQueue(queue, { durable: true })
      await node.ctl("delete_queue", "--vhost", "works", "c1")
      await expect(node.ctl("delete_queue", "--vhost", "works", "c1")).rejects.toThrow("not_found")
      expect(await node.ctl("list_queues", "--vhost", "works", "name")).toBe("name\nc2é")
      expect(await node.ctl("list_queues", "--vhost", "works", "name", "--no-table-headers")).toBe("c2é")
      const many = Array.from({ length: 40 }, (_, n) => `c-${n}-${"long".repeat(40)}`)
      for (const queue of many) await channel.assertQueue(queue, { durable: true })
      const names = (await node.ctl("list_queues", "--vhost", "works", "name", "--no-table-headers")).split("\n")
      expect(names.toSorted()).toEqual(["c2é", ...many].toSorted())
      await node.ctl("close_all_connections", "--vhost", "works", "for a test")
      expect(String(await closed)).toContain("for a test")
    })

    it("sets the limits of the node as rabbitmqctl does", async () => {
      const limits = async (): Promise<ReadonlyArray<number>> => {
        const watermark = "vm_memory_monitor:get_vm_memory_high_watermark()"
        const relative = `case ${watermark} of {absolute, Bytes} -> Bytes; Fraction -> round(Fraction * 10000) end`
        return Promise.all(
          [`${relative}.`, "rabbit_disk_monitor:get_disk_free_limit()."].map(async (e) => Number(await node.eval(e)))
        )
      }
      await node.ctl("set_vm_memory_high_watermark", "0.0001")
      await node.ctl("set_disk_free_limit", "5000GB")
      expect(await limits()).toEqual([1, 5e12])
      await node.ctl("set_vm_memory_high_watermark", "absolute", "1GB")
      await node.ctl("set_disk_free_limit", "20MB")
      expect(await limits()).toEqual([1e9, 2e7])
      // This is no size that RabbitCommands.ts knows: rabbitmqctl sets it, and means the same.
      await node.ctl("set_disk_free_limit", "20000kB")
      expect(await limits()).toEqual([1e9, 2e7])
    })

    it("stops the broker inside of its node, and starts it again", async () => {
      const connection = await connectAmqp(node.url)
      connection.on("error", () => {})
      const closed = new Promise((resolve) => connection.once("close", resolve))
      await node.stopApp()
      expect(String(await closed)).toContain("CONNECTION_FORCED")
      await expect(connectAmqp(node.url)).rejects.toThrow("ECONNREFUSED")
      await node.startApp()
      await (await connectAmqp(node.url)).close()
    })

    it("hangs while it is suspended", async () => {
      await node.suspend()
      let isOpen = false
      const opening = connectAmqp(node.url).then((connection) => {
        isOpen = true
        return connection
      })
      // Another node answers meanwhile: there was enough time.
      await (await connectAmqp(rabbitUrl())).close()
      expect(isOpen).toBe(false)
      await node.resume()
      await (await opening).close()
    })
  },
  ["rabbit", "rabbitNode"]
)
