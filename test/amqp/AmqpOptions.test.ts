/** Settings that cannot work: refused before anything is connected, with the remedy and without the password. */
import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { inspect } from "node:util"
import { type AmqpOptions, settle } from "../../src/amqp/AmqpOptions.ts"
import { BrokerError } from "../../src/bus/port/BrokerError.ts"

const secret = "canary-5ecret"
const settled = (servers: AmqpOptions["servers"], more: Partial<AmqpOptions> = {}) =>
  settle({ servers, namespace: "ns", source: "test", ...more })
const refusal = (servers: AmqpOptions["servers"], more: Partial<AmqpOptions> = {}): BrokerError => {
  const result = Result.getOrThrow(Result.flip(settled(servers, more)))
  assert.instanceOf(result, BrokerError)
  assert.strictEqual(result.reason._tag, "Settings")
  assert.notInclude(
    `${result.message}${result.stack}${inspect(result, { depth: 20, showHidden: true })}${JSON.stringify(result)}`,
    secret
  )
  return result
}
const accepted = (servers: AmqpOptions["servers"], more: Partial<AmqpOptions> = {}) =>
  Result.getOrThrow(settled(servers, more))

describe("AmqpOptions", () => {
  it("urls that cannot work", () => {
    const table = [
      "",
      " ",
      "localhost",
      "http://localhost",
      "amqp:localhost",
      "amqp://",
      "amqp:///",
      "amqp://:5672",
      "redis://localhost",
      `amqp://user:${secret}@`,
      `amqp://user:${secret}#x@localhost`,
      `amqp://user:${secret}/x@localhost`,
      `amqp://user:${secret}@x@localhost`,
      `amqp://user:${secret}%@localhost`,
      `amqp://user:${secret}%zz@localhost`,
      `amqp://user:${secret}@localhost?heartbeat=5`,
      `amqp://user:${secret}:1@localhost:99999`,
      `amqp://user:${secret}@localhost:port`,
      `amqp://user:${secret}@localhost/%`,
      `amqp://user:${secret},x@localhost`,
      `amqp://user:12,${secret}@localhost`,
      `amqp://localhost,,amqp://localhost`,
      "amqp://localhost,",
      `amqp://user:${secret}@localhost:0`,
      `amqp://localhost,http://user:${secret}@localhost`
    ]
    for (const url of table) {
      refusal(url)
      refusal(Redacted.make(url))
    }
  })

  it("urls as other tools write them are read as what they stand for", () => {
    const table: ReadonlyArray<readonly [string, string]> = [
      ["AMQP://localhost:5672/shop", "localhost:5672 shop"],
      ["AmqpS://mq.example", "mq.example:5671 /"],
      ["amqps://user%61:%61pass@ho%61st:10000/v%2fhost", "hoast:10000 v/host"],
      ["amqps://b\u00fccher.example", "xn--bcher-kva.example:5671 /"],
      ["amqps://b%C3%BCcher.example", "xn--bcher-kva.example:5671 /"],
      ["amqps://mq.example/%2e%2e", "mq.example:5671 .."],
      ["amqps://mq.example/..", "mq.example:5671 .."],
      ["amqps://mq.example/.", "mq.example:5671 ."],
      ["amqps://mq.example/a/../b", "mq.example:5671 a/../b"],
      [" amqps://mq.example/shop\n", "mq.example:5671 shop"],
      ["amqps://[2001:db8::1]/x", "2001:db8::1:5671 x"],
      ["amqps://MQ_1.example", "MQ_1.example:5671 /"]
    ]
    for (const [url, expected] of table) {
      const { host, port, vhost } = accepted(url).servers[0] ?? assert.fail(url)
      assert.strictEqual(`${host}:${port} ${vhost}`, expected, url)
    }
    for (const host of ["a%2Fb", "a%40b", "a%3A1", "%", "%ff", "a%20b", "a%23b", "%5B::1%5D"])
      refusal(`amqps://${host}/x`)
  })

  it("a comma in a password is not taken for a list", () => {
    for (const url of [`amqp://user:${secret},x@localhost`, `amqp://user:12,${secret}@localhost`])
      assert.include(refusal(url).message, "%2C")
  })

  it("P14: a slash in a password does not make its beginning an address", () => {
    for (const url of [
      `amqp://user:123/${secret}@rabbit.example/v`,
      `amqps://user:123/${secret}@rabbit.example`,
      `amqp://user:123?${secret}@localhost`
    ]) {
      const { message } = refusal(url, { allowPlaintext: true })
      assert.include(message, "%2F")
      assert.notInclude(message, "123")
    }
    assert.strictEqual(accepted("amqp://localhost/a%40b").servers[0]?.vhost, "a@b")
  })

  it("parts that cannot work", () => {
    const table: ReadonlyArray<AmqpOptions["servers"]> = [
      { hosts: [] },
      { hosts: [""] },
      { hosts: ["a b"] },
      { hosts: [`user:${secret}@localhost`] },
      { hosts: [`amqp://user:${secret}@localhost`] },
      { hosts: ["localhost:"] },
      { hosts: ["localhost:0"] },
      { hosts: ["localhost:65536"] },
      { hosts: ["localhost:99999"] },
      { hosts: ["http://localhost"] }
    ]
    for (const servers of table) refusal(servers)
  })

  it("N24: user, password and vhost are used as written, whatever characters they have", () => {
    const [server] = accepted(`amqp://us%40er:p%23%2F%40%2C%3A%25@localhost:5673/a%2Fb%25`).servers
    assert.deepInclude(server, {
      host: "localhost",
      port: 5673,
      secure: false,
      vhost: "a/b%",
      address: "localhost:5673"
    })
    assert.strictEqual(server?.credentials?.username, "us@er")
    assert.strictEqual(server?.credentials === undefined ? "" : Redacted.value(server.credentials.password), "p#/@,:%")
    assert.deepStrictEqual(
      accepted("amqp://127.0.0.1, amqps://rabbit.example/v ,amqp://[::1]:5674").servers.map(
        ({ host, port, secure, vhost }) => [host, port, secure, vhost]
      ),
      [
        ["127.0.0.1", 5672, false, "/"],
        ["rabbit.example", 5671, true, "v"],
        ["::1", 5674, false, "/"]
      ]
    )
    assert.deepStrictEqual(
      accepted({ hosts: ["localhost", "amqps://b.example:1", "[::1]:2"], vhost: "v" }).servers.map(
        ({ address, secure, vhost }) => [address, secure, vhost]
      ),
      [
        ["localhost:5672", false, "v"],
        ["b.example:1", true, "v"],
        ["::1:2", false, "v"]
      ]
    )
  })

  it("O3, P14: plaintext leaves this host only when it is allowed", () => {
    for (const host of [
      "rabbit",
      "10.0.0.1",
      "127.0.0.1.evil.example",
      "127.evil.example",
      "localhost.evil.example",
      "[2001:db8::1]",
      "0.0.0.0"
    ]) {
      const url = `amqp://user:${secret}@${host}`
      assert.include(refusal(url).message, "allowPlaintext")
      refusal(`amqp://localhost,${url}`)
      accepted(url, { allowPlaintext: true })
      accepted(url.replace("amqp:", "amqps:"))
      refusal({ hosts: [host], username: "user", password: Redacted.make(secret) })
    }
    for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"]) accepted(`amqp://user:${secret}@${host}`)
  })

  it("N15: durations, counts and names out of range fail with their default", () => {
    const table: ReadonlyArray<Partial<AmqpOptions>> = [
      { connectTimeout: 0 },
      { connectTimeout: -1 },
      { connectTimeout: Number.NaN },
      { connectTimeout: "Infinity" },
      { connectTimeout: "100 days" },
      { heartbeat: 0 },
      { heartbeat: "Infinity" },
      { heartbeat: "1 day" },
      { heartbeat: 999 },
      { callTimeout: 0 },
      { callTimeout: "Infinity" },
      { callTimeout: "100 days" },
      { publishChannels: 0 },
      { publishChannels: 65 },
      { publishChannels: 1.5 },
      { publishChannels: Number.NaN },
      { canaryInterval: "2 seconds" },
      { canaryInterval: "2 hours" },
      { canaryInterval: Number.NaN }
    ]
    for (const more of table) assert.match(refusal("amqp://localhost", more).message, /default/, JSON.stringify(more))
    for (const namespace of ["", "A", "a.b", "amq", "a".repeat(33), "a b"]) refusal("amqp://localhost", { namespace })
    assert.deepInclude(accepted("amqp://localhost"), {
      connectMillis: 10_000,
      heartbeatSeconds: 10,
      callMillis: 10_000,
      publishChannels: 2,
      canaryMillis: 15_000,
      topology: "assert",
      waitForBroker: false
    })
  })

  it("O4, P14: settings shown in any way hide the password", () => {
    const shown = accepted(`amqp://user:${secret}@localhost`)
    assert.notInclude(`${inspect(shown, { depth: 20 })}${JSON.stringify(shown)}`, secret)
  })
})
