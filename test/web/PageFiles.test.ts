/** The files of the page: everybody gets them, under a strict policy, and nothing else without a login. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { once } from "node:events"
import { connect } from "node:net"
import { text } from "node:stream/consumers"
import { operations, type OperationsOptions } from "../../src/index.ts"

const served = (options: Partial<OperationsOptions> = {}) =>
  Effect.gen(function* () {
    let address = ""
    yield* Layer.build(
      operations(
        { port: 0, authorize: () => Effect.undefined, onListen: (url) => (address = url), ...options },
        { url: "memory://" }
      )
    )
    return address
  })

/** What fetch would not send. */
const raw = (address: string, target: string) =>
  Effect.promise(async () => {
    const { host, port } = new URL(address)
    const socket = connect(Number(port), "127.0.0.1")
    await once(socket, "connect")
    socket.write(`GET ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
    return text(socket)
  })

describe("the files of the page", () => {
  it.live("are served to everybody, without data, and what they load is among them", () =>
    Effect.gen(function* () {
      const address = yield* served()
      const get = (path: string) =>
        Effect.promise(async () => {
          const response = await fetch(`${address}${path}`)
          return { status: response.status, headers: response.headers, body: await response.text() }
        })
      const index = yield* get("/")
      assert.strictEqual(index.status, 200)
      assert.match(index.headers.get("content-type") ?? "", /^text\/html/)
      const policy = index.headers.get("content-security-policy") ?? ""
      for (const part of [
        "default-src 'none'",
        "script-src 'self';",
        "style-src 'self';",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'"
      ])
        assert.include(policy, part)
      assert.notMatch(policy, /unsafe/)
      assert.notMatch(index.body, /<style|style=|\son\w+=|<script(?![^>]*\ssrc=)/i)
      const open = [...index.body.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path = ""]) => path)
      assert.include(open, "/page/main.js")
      const seen = new Set<string>()
      for (let path = open.pop(); path !== undefined; path = open.pop()) {
        if (seen.has(path)) continue
        seen.add(path)
        const file = yield* get(path)
        assert.strictEqual(file.status, 200, path)
        if (!path.endsWith(".js")) continue
        assert.notMatch(file.body, /\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b/, path)
        const imports = [...file.body.matchAll(/from\s*"(\.[^"]+)"/g)].map(([, to = ""]) => to)
        open.push(...imports.map((to) => new URL(to, `${address}${path}`).pathname))
      }
      assert.isAbove(seen.size, 3)
    })
  )

  it.live("are all that is served to somebody unknown; no other file is reached", () =>
    Effect.gen(function* () {
      const address = yield* served()
      for (const path of ["/api/session", "/api/ps", "/index.html", "/page"])
        assert.match(yield* raw(address, path), /^HTTP\/1.1 403 /, path)
      for (const path of ["/page/", "/page/tsconfig.json", "/page/../web/Guard.ts", "/page/%2e%2e/web/Guard.ts"])
        assert.match(yield* raw(address, path), /^HTTP\/1.1 (?:403|404) /, path)
      assert.match(yield* raw(address, "/page/..%2f..%2fpackage.json"), /^HTTP\/1.1 404 /)
      assert.match(yield* raw(yield* served({ page: false }), "/"), /^HTTP\/1.1 403 /)
    })
  )

  it.live("an address that is none is refused, and the server goes on", () =>
    Effect.gen(function* () {
      const address = yield* served()
      for (const target of ["//", "//:0/", "http://["])
        assert.match(yield* raw(address, target), /^HTTP\/1.1 400 /, target)
      assert.match(yield* raw(address, "/"), /^HTTP\/1.1 200 /)
    })
  )
})
