/** Rooms: who may import whom, and that nothing runs in circles. `docs/architecture.md` draws them. */
import { assert, describe, it } from "@effect/vitest"
import { dirname } from "node:path"
import { circles, imports, type Import, importsOf, isOurs, sources } from "./Sources.ts"

/**
 * Rooms within each folder that has some, bottom first; "" are the files beside the rooms. Where rooms use some of these,
 * the rule against circles keeps the others above.
 */
const inner: Readonly<Record<string, Readonly<Record<string, ReadonlyArray<string>>>>> = {
  bus: {
    port: [],
    support: ["port"],
    send: ["port", "support"],
    publish: ["port", "support", "send"],
    deadletter: ["port", "support", "send"],
    subscriber: ["port", "support"],
    read: ["port", "support", "subscriber"],
    delivery: ["port", "support", "send", "subscriber"],
    admit: ["port", "support", "subscriber", "delivery"],
    handle: ["port", "support", "send", "subscriber", "delivery", "admit"],
    park: ["port", "support", "send", "subscriber", "delivery", "handle"],
    supervise: ["port", "support", "send", "subscriber", "read", "delivery", "admit", "handle", "park"],
    foreign: ["port", "support", "send", "subscriber", "delivery", "supervise"],
    health: ["port", "support", "send", "subscriber", "read"],
    request: ["port", "support", "send", "publish", "subscriber", "delivery"],
    recurring: ["port", "support", "publish", "subscriber", "delivery"],
    "": [
      "port",
      "support",
      "send",
      "publish",
      "deadletter",
      "subscriber",
      "read",
      "delivery",
      "admit",
      "handle",
      "park",
      "supervise",
      "foreign",
      "health",
      "request",
      "recurring"
    ]
  },
  amqp: {
    frames: [],
    topology: [],
    connection: ["topology", ""],
    publishing: ["frames", "topology", "connection", ""],
    consuming: ["frames", "topology", "connection", "publishing", ""],
    health: ["topology", "connection", "publishing", "consuming", ""],
    inspect: ["topology", "connection", ""],
    administer: ["topology", "connection", "inspect", ""],
    "": ["frames", "topology", "connection", "publishing", "consuming", "health"]
  },
  redis: {
    connection: [],
    cache: ["connection"],
    claims: ["connection"],
    fleet: ["connection"],
    stores: ["connection"],
    inspect: ["connection"],
    "": ["connection", "cache", "claims", "fleet", "stores"]
  },
  event: {
    sensitive: [],
    support: [],
    standard: ["", "sensitive", "support"],
    options: ["", "standard"],
    flow: [""],
    foreign: ["support", "options", "standard", "flow", ""],
    "": ["sensitive", "standard", "support", "options", "flow"]
  },
  outbox: { dialects: [], relay: ["dialects", ""], inbox: ["dialects", ""], "": ["dialects", "relay", "inbox"] },
  app: {
    http: [],
    telemetry: [],
    promise: ["", "http", "telemetry"],
    demo: ["", "http"],
    "": ["http", "telemetry", "promise"]
  }
}

/** Folders of src: what each may use. `bus/port` and `bus/support` are all of the bus that an adapter sees. */
const outer: Readonly<Record<string, ReadonlyArray<string>>> = {
  event: [],
  catalog: ["event"],
  contracts: ["event", "amqp/topology"],
  observe: ["event"],
  // A subscriber that asks for an inbox loads it.
  bus: ["event", "observe", "contracts", "outbox/inbox"],
  amqp: ["event", "observe", "bus/port", "bus/support"],
  redis: ["event", "observe", "bus/port", "bus/support"],
  memory: ["event", "observe", "bus/port", "bus/support"],
  ports: ["event", "observe", "bus"],
  testing: ["event", "observe", "bus", "memory", "app/promise"],
  // A test of an app loads the test kit.
  nest: ["event", "observe", "bus", "app", "testing"],
  outbox: ["event", "observe", "bus"],
  operations: ["event", "observe", "bus"],
  app: ["event", "observe", "bus", "operations", "web", "amqp", "redis", "memory"],
  mcp: ["event", "operations"],
  web: ["event", "operations"],
  // It runs in browsers, and knows the reports as types.
  page: ["operations", "web"],
  cli: ["event", "contracts", "observe", "bus", "operations", "app", "mcp", "outbox"],
  "": ["event", "observe", "bus", "app"]
}

const folderOf = (file: string): string => file.split("/").slice(1, -1)[0] ?? ""
const roomOf = (file: string): string => file.split("/").slice(2, -1)[0] ?? ""

const isAllowed = ({ from, to }: Import): boolean => {
  const [here, there] = [folderOf(from), folderOf(to)]
  if (here === there) {
    const rooms = inner[here]
    const [room, other] = [roomOf(from), roomOf(to)]
    return rooms === undefined || room === other || (rooms[room]?.includes(other) ?? false)
  }
  if (from.startsWith("src/app/demo/") && there === "catalog") return true
  return outer[here]?.some((allowed) => to.startsWith(`src/${allowed}/`)) ?? false
}

/** What loads its other half when a layer is built, and is named by it as a type. */
const lazilyLoaded: ReadonlyArray<ReadonlyArray<string>> = [
  ["src/bus/EventBus.ts", "src/bus/EventBusMake.ts"],
  ["src/bus/deadletter/DeadLetters.ts", "src/bus/deadletter/DeadLettersLive.ts"]
]

const show = ({ from, to }: Import): string => `${from} -> ${to}`

describe("rooms", () => {
  it("import what lies below them, types included", () => {
    assert.deepStrictEqual(
      imports
        .filter(isOurs)
        .filter((one) => !isAllowed(one))
        .map(show),
      []
    )
  })

  it("are all named in the tables above", () => {
    const folders = new Set(sources.map(folderOf))
    assert.deepStrictEqual(
      [...folders].filter((folder) => outer[folder] === undefined),
      []
    )
    const unnamed = sources.filter((file) => {
      const rooms = inner[folderOf(file)]
      return rooms !== undefined && rooms[roomOf(file)] === undefined
    })
    assert.deepStrictEqual(unnamed, [])
  })

  it("hold no circle of imports but two that load their other half later", () => {
    const found = circles(imports.filter(isOurs))
    assert.deepStrictEqual(
      found.map((circle) => circle.join(" ")).toSorted(),
      lazilyLoaded.map((circle) => circle.toSorted().join(" ")).toSorted()
    )
  })

  it("list at most 22 files in one folder", () => {
    const counts = new Map<string, number>()
    for (const file of sources) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1)
    assert.deepStrictEqual(
      [...counts].filter(([, count]) => count > 22),
      []
    )
  })

  it("the rules notice what they forbid", () => {
    const edge = (from: string, to: string): Import => ({ from, to, typeOnly: true, dynamic: false })
    assert.isFalse(isAllowed(edge("src/bus/send/Outbox.ts", "src/bus/publish/Publisher.ts")))
    assert.isFalse(isAllowed(edge("src/bus/port/Broker.ts", "src/bus/EventBus.ts")))
    assert.isFalse(isAllowed(edge("src/amqp/AmqpBroker.ts", "src/bus/send/Outbox.ts")))
    assert.isFalse(isAllowed(edge("src/bus/EventBus.ts", "src/app/Live.ts")))
    assert.isFalse(isAllowed(edge("src/amqp/connection/Link.ts", "src/amqp/health/AmqpProbes.ts")))
    assert.isFalse(isAllowed(edge("src/redis/claims/RedisClaims.ts", "src/redis/stores/Stores.ts")))
    assert.isTrue(isAllowed(edge("src/amqp/AmqpBroker.ts", "src/bus/port/Broker.ts")))
    assert.deepStrictEqual(circles([edge("a", "b"), edge("b", "c"), edge("c", "a"), edge("c", "d")]), [["a", "b", "c"]])
  })
})

/** The files and packages that a file loads at once. */
const loadedBy = (door: string) => {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    for (const { dynamic, to, typeOnly } of importsOf(file)) {
      if (dynamic || typeOnly) continue
      if (to.startsWith("src/")) visit(to)
      else packages.add(to)
    }
  }
  visit(door)
  return { files, packages: [...packages] }
}

describe("the door", () => {
  it("N13: loads no client when it is imported", () => {
    const { files, packages } = loadedBy("src/index.ts")
    const clients = packages.filter((name) => /^(?:amqplib|ioredis|@opentelemetry|@effect\/platform-node)/.test(name))
    assert.deepStrictEqual(clients, [])
    assert.isAbove(files.size, 20)
  })
})

describe("the door of NestJS", () => {
  it("loads two packages of Nest, no client, and of the library what the main door loads and little more", () => {
    const { files, packages } = loadedBy("src/nest/index.ts")
    const main = loadedBy("src/index.ts")
    assert.deepStrictEqual(
      packages.filter((name) => !main.packages.includes(name)),
      ["@nestjs/common", "@nestjs/core"]
    )
    assert.deepStrictEqual(
      [...files].filter((file) => !file.startsWith("src/nest/") && !main.files.has(file)).toSorted(),
      [
        "src/app/http/Paths.ts",
        "src/app/promise/HandlerOptions.ts",
        "src/bus/BusRuntime.ts",
        "src/bus/subscriber/WrittenHandler.ts"
      ]
    )
  })

  it("is the only one that imports Nest, and is imported by none", () => {
    assert.deepStrictEqual(
      imports.filter(({ from, to }) => to.startsWith("@nestjs/") && !from.startsWith("src/nest/")).map(show),
      []
    )
    assert.deepStrictEqual(
      imports.filter(({ from, to }) => to.startsWith("src/nest/") && !from.startsWith("src/nest/")).map(show),
      []
    )
  })
})

describe("the page", () => {
  it("imports nothing but itself and types: browsers get its files alone", () => {
    const others = imports.filter(
      ({ from, to, typeOnly }) => from.startsWith("src/page/") && !to.startsWith("src/page/") && !typeOnly
    )
    assert.deepStrictEqual(others.map(show), [])
  })
})
