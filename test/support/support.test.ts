/** The test support itself: what live suites rely on. */
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { promisify } from "node:util"
import { afterAll, afterEach, assert, beforeAll, describe, expect, it, vi } from "vitest"
import { wanted } from "./BrokerVersions.ts"
import { describeLive } from "./live.ts"
import { type Proxy, startProxy } from "./Proxy.ts"
import { startRedis } from "./RedisNode.ts"

const run = promisify(execFile)

/** Polls a condition. */
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await delay(20)
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describeLive(
  "a Redis server of its own",
  () => {
    it("starts, is killed, comes back empty on its port, and leaves nothing", async () => {
      const node = await startRedis({ password: "s3cret word", args: ["--maxmemory", "8mb"] })
      expect(await node.cli("SET", "key", "value")).toBe("OK")
      expect(await node.cli("CONFIG", "GET", "maxmemory")).toBe("maxmemory\n8388608")
      await expect(node.cli("NONSENSE")).rejects.toThrow("unknown command")
      await node.kill()
      await expect(node.cli("PING")).rejects.toThrow("refused")
      await node.restart()
      expect(await node.cli("EXISTS", "key")).toBe("0")
      await node.stop()
      await expect(node.cli("PING")).rejects.toThrow("refused")
    })
  },
  ["redisNode"]
)

describe("Scratch", () => {
  it("is removed with its processes when its owner is killed", async () => {
    const owner = spawn(process.execPath, [
      "--input-type=module",
      "--eval",
      `const { openScratch } = await import(${JSON.stringify(new URL("Scratch.ts", import.meta.url).href)})
       const scratch = openScratch("orphan")
       const task = await scratch.start({ command: "sleep", args: ["600"], env: process.env, log: "log" })
       console.log(JSON.stringify({ dir: scratch.dir, pid: task.pid }))
       setInterval(() => {}, 1000)`
    ])
    const [line] = await once(owner.stdout, "data")
    const { dir, pid }: { dir: string; pid: number } = JSON.parse(String(line))
    expect([existsSync(dir), isAlive(pid)]).toEqual([true, true])
    owner.kill("SIGKILL")
    await until(() => !existsSync(dir) && !isAlive(pid))
  })
})

describe("Proxy", () => {
  const accepted: Array<Socket> = []
  const echo = createServer((socket) => {
    accepted.push(socket.on("error", () => {}))
    socket.pipe(socket)
  })
  let proxy: Proxy
  beforeAll(async () => {
    await once(echo.listen(0, "127.0.0.1"), "listening")
    proxy = await startProxy((echo.address() as AddressInfo).port)
  })
  afterAll(async () => {
    await proxy.close()
    echo.close()
  })
  const open = async (): Promise<Socket> => {
    const socket = connect(proxy.port, "127.0.0.1").on("error", () => {})
    await once(socket, "connect")
    return socket
  }
  const heard = async (socket: Socket, text: string): Promise<void> => {
    let all = ""
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      all += String(chunk)
      if (all === text) return
    }
    throw new Error(`closed after ${JSON.stringify(all)}`)
  }

  for (const direction of ["up", "down", "both"] as const) {
    it(`holds back bytes that go ${direction} until it resumes`, async () => {
      const socket = await open()
      socket.write("one")
      await heard(socket, "one")
      const received = accepted.at(-1)?.bytesRead
      proxy.stall(direction)
      socket.write("two")
      if (direction === "down") await until(() => accepted.at(-1)?.bytesRead === 6)
      // An echo on a direct connection takes the same path without the stall: enough time for "two".
      const direct = connect((echo.address() as AddressInfo).port, "127.0.0.1")
      direct.write("hello")
      await heard(direct, "hello")
      direct.destroy()
      expect(socket.readableLength).toBe(0)
      expect(socket.bytesRead).toBe(3)
      if (direction !== "down") expect(accepted.at(-2)?.bytesRead).toBe(received)
      proxy.resume()
      await heard(socket, "two")
      socket.destroy()
    })
  }

  it("resets open connections and accepts new ones", async () => {
    const socket = await open()
    socket.write("one")
    await heard(socket, "one")
    expect(proxy.connections()).toBe(1)
    const [[error]] = await Promise.all([once(socket.removeAllListeners("error"), "error"), proxy.reset()])
    expect(error).toMatchObject({ code: "ECONNRESET" })
    await until(() => proxy.connections() === 0)
    ;(await open()).destroy()
  })

  it("leads new connections elsewhere and keeps the open ones", async () => {
    const other = createServer((socket) => void socket.on("error", () => {}).end("other"))
    await once(other.listen(0, "127.0.0.1"), "listening")
    const socket = await open()
    proxy.leadTo((other.address() as AddressInfo).port)
    await heard(await open(), "other")
    socket.write("one")
    await heard(socket, "one")
    proxy.leadTo((echo.address() as AddressInfo).port)
    socket.destroy()
    other.close()
  })

  it("refuses new connections and keeps the open ones", async () => {
    const socket = await open()
    socket.write("one")
    await heard(socket, "one")
    await proxy.refuse(true)
    await expect(open()).rejects.toMatchObject({ code: "ECONNREFUSED" })
    socket.write("two")
    await heard(socket, "two")
    await proxy.refuse(false)
    ;(await open()).destroy()
    socket.destroy()
  })
})

describe("a version of a broker that is asked for", () => {
  afterEach(() => void vi.unstubAllEnvs())

  it("is what is installed when none is named", () => {
    vi.stubEnv("EVENTBUS_TEST_RABBITMQ", "")
    assert.isUndefined(wanted("rabbitmq"))
  })

  it("is refused with the versions that are known", () => {
    vi.stubEnv("EVENTBUS_TEST_KV", "redis-1")
    expect(() => wanted("redis")).toThrow(/EVENTBUS_TEST_KV="redis-1" .* redis-7, redis-8, valkey-8, valkey-9/)
  })
})

describe("ci-summary", () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "eventbus-summary-"))
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  const summary = async (report: object, ...more: ReadonlyArray<string>): Promise<string> => {
    const file = join(folder, "report.json")
    writeFileSync(file, JSON.stringify(report))
    return run(process.execPath, ["scripts/ci-summary.ts", file, ...more]).then(
      ({ stdout }) => `0 ${stdout}`,
      (error: { code: number; stdout: string }) => `${error.code} ${error.stdout}`
    )
  }
  const file = (status: string, ...tests: ReadonlyArray<string>): object => ({
    name: "a.test.ts",
    status,
    message: "no such file",
    assertionResults: tests.map((status) => ({
      status: status === "unstable" ? "passed" : status,
      fullName: "a bus publishes",
      failureMessages: status === "failed" || status === "unstable" ? ["1 is not 2\nat line 7"] : []
    }))
  })

  it.each([
    ["0 tests: 2 passed, 0 failed\n", [file("passed", "passed", "passed")]],
    ["0 tests: 1 passed, 0 failed, 2 skipped\n", [file("passed", "passed", "skipped", "todo")]],
    [
      "1 failed: a.test.ts > a bus publishes\n  1 is not 2\n  at line 7\ntests: 1 passed, 1 failed\n",
      [file("failed", "passed", "failed")]
    ],
    ["1 failed: a.test.ts\n  no such file\ntests: 1 passed, 1 failed\n", [file("passed", "passed"), file("failed")]],
    [
      "0 unstable: a.test.ts > a bus publishes\n  1 is not 2\n  at line 7\ntests: 2 passed, 0 failed, 1 of the passed ones at their second try\n",
      [file("passed", "passed", "unstable")]
    ],
    ["1 tests: 0 passed, 0 failed\n", []]
  ])("says %j", async (line, testResults) => {
    expect(await summary({ testResults })).toBe(line)
  })

  it("adds up several reports, and fails when one is missing", async () => {
    const report = { testResults: [file("passed", "passed", "passed")] }
    const [other, none] = [join(folder, "other.json"), join(folder, "none.json")]
    writeFileSync(other, JSON.stringify(report))
    expect(await summary(report, other)).toBe("0 tests: 4 passed, 0 failed\n")
    expect(await summary(report, none)).toBe("1 tests: 2 passed, 0 failed\n")
  })

  it("fails when more tests were unstable than a busy machine explains", async () => {
    const unstable = (count: number) => summary({ testResults: [file("passed", ...Array(count).fill("unstable"))] })
    expect(await unstable(5)).toMatch(/^0 .*tests: 5 passed, 0 failed, 5 of the passed ones at their second try\n$/s)
    expect(await unstable(6)).toMatch(/^1 .*tests: 6 passed, 0 failed, 6 of the passed ones at their second try\n$/s)
  })

  it("counts an error outside of the tests as a failed test, and prints it", async () => {
    const errors = join(folder, "report.errors.json")
    writeFileSync(errors, JSON.stringify(["Error: nobody awaited this"]))
    const out = await summary({ testResults: [file("passed", "passed")] }).finally(() => rmSync(errors))
    expect(out).toMatch(/^1 failed: outside of the tests, see .*report\.json\n {2}Error: nobody awaited this\n/)
    expect(out).toMatch(/\ntests: 1 passed, 1 failed\n$/)
  })

  it("counts nothing when there is no report", async () => {
    const missing = run(process.execPath, ["scripts/ci-summary.ts", join(folder, "none.json")])
    await expect(missing).rejects.toMatchObject({ code: 1, stdout: "tests: 0 passed, 0 failed\n" })
  })
})
