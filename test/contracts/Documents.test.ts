/** AsyncAPI, TypeScript declarations and catalogue pages of contracts. */
import { assert, describe, it } from "@effect/vitest"
import { Ajv, type ValidateFunction } from "ajv"
import { Result, Schema } from "effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { documents } from "../../scripts/documents.ts"
import { catalog, GradePosted } from "../../src/catalog/index.ts"
import * as AsyncApi from "../../src/contracts/documents/AsyncApi.ts"
import * as Reply from "../../src/bus/request/Reply.ts"
import * as Example from "../../src/contracts/documents/Example.ts"
import * as Html from "../../src/contracts/documents/Html.ts"
import * as Markdown from "../../src/contracts/documents/Markdown.ts"
import * as Types from "../../src/contracts/documents/Types.ts"
import * as Snapshot from "../../src/contracts/Snapshot.ts"
import * as WireFormat from "../../src/event/WireFormat.ts"
import { Event, sensitive } from "../../src/index.ts"
import { read, root } from "../house/Sources.ts"
import { Tree } from "./Tree.ts"

const described = (events: ReadonlyArray<Event.Any>, more: Partial<AsyncApi.Described> = {}): AsyncApi.Described => ({
  title: "test",
  version: "1.0.0",
  namespace: "test",
  events,
  subscribers: [],
  publishes: undefined,
  publishers: [],
  ...more
})

interface Message {
  readonly payload: object
  readonly examples: ReadonlyArray<{ readonly payload: { readonly data: unknown } }>
}
interface Document {
  readonly channels: Readonly<Record<string, { readonly address: string | null; readonly messages: object }>>
  readonly operations: Readonly<
    Record<string, { readonly action: string; readonly messages: ReadonlyArray<object>; readonly reply?: object }>
  >
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>
    readonly schemas: Readonly<Record<string, unknown>>
  }
}
const documentOf = (given: AsyncApi.Described): Document => JSON.parse(AsyncApi.print(given))

/** A validator of the events of one message. */
const validatorOf = ({ components }: Document, message: string): ValidateFunction =>
  new Ajv({ strict: false, validateFormats: false }).compile({ ...components.messages[message]?.payload, components })

/** What JSON Schema can do and the catalogue does not. */
const Odd = Event.make("test.odd-one", {
  version: 2,
  data: Schema.Struct({
    "not a name": Schema.NullOr(Schema.Literals(["a", 'b"', "*/"])),
    tree: Tree,
    pair: Schema.Tuple([Schema.String, Schema.optionalKey(Schema.Int)]),
    many: Schema.NonEmptyArray(Schema.Union([Schema.String, Schema.Struct({ "<tag>": Schema.Boolean })])),
    counts: Schema.Record(Schema.String, Schema.Int.check(Schema.isGreaterThan(2))),
    mixed: Schema.StructWithRest(Schema.Struct({ a: Schema.String }), [Schema.Record(Schema.String, Schema.Unknown)]),
    secret: sensitive(Schema.String)
  }).annotate({ description: "Not <b>bold</b> & | not a comment: */" }),
  key: (odd) => odd.tree.name,
  cache: { timeToLive: "90 seconds", history: 0 },
  previous: [
    {
      version: 1,
      data: Schema.Struct({ tree: Tree }),
      up: (old) => ({
        ...old,
        "not a name": null,
        pair: ["p"] as const,
        many: ["m"] as const,
        counts: {},
        mixed: { a: "" },
        secret: ""
      })
    }
  ]
})
const all = [...catalog.events, Odd]

const Ask = Event.request("test.ask", {
  version: 1,
  data: Schema.Struct({ n: Schema.Int }),
  reply: Schema.Struct({ n: Schema.Int, tree: Tree }),
  error: Schema.TaggedStruct("Refused", { why: Schema.String })
})

describe("AsyncAPI", () => {
  it("describes the answers to a request as they are on the wire", () => {
    const document = documentOf(
      described([Ask, GradePosted], {
        subscribers: [
          { name: "answers", events: ["test.ask"] },
          { name: "looks-on", events: ["test.ask", GradePosted.name] }
        ]
      })
    )
    const reply = {
      address: { location: "$message.header#/reply-to" },
      channel: { $ref: "#/channels/reply.test.ask" },
      messages: [{ $ref: "#/channels/reply.test.ask/messages/test.ask.answer" }]
    }
    assert.deepInclude(document.operations["publish.test.ask"], { reply })
    assert.deepInclude(document.operations["handle.answers"], { reply })
    assert.notProperty(document.operations["handle.looks-on"], "reply")
    assert.notProperty(document.operations[`publish.${GradePosted.name}`], "reply")
    assert.isNull(document.channels["reply.test.ask"]?.address)

    const validate = validatorOf(document, "test.ask.answer")
    const written = (outcome: Reply.Answer["outcome"], value: unknown): unknown => {
      const json = { subscriber: "answers", outcome, value }
      const about = { key: undefined, actor: undefined, correlationId: "c", causationId: "d" }
      const fields = { id: "1", time: 0, ...about }
      return JSON.parse(WireFormat.encoder(Reply.Reply, "test")(fields, json))
    }
    const tree = Example.of(Tree, "tree")
    assert.isTrue(validate(written("reply", { n: 1, tree })), JSON.stringify(validate.errors))
    assert.isTrue(validate(written("error", { _tag: "Refused", why: "full" })), JSON.stringify(validate.errors))
    assert.isTrue(validate(written("dead-letter", { reason: "Rejected", error: "Reject", detail: "no" })))
    assert.isFalse(validate(written("reply", { n: "1", tree })))
    assert.isFalse(validate(written("error", { n: 1, tree })))
  })

  it("describes events as they are on the wire: its examples and what the library writes are valid", () => {
    const document = documentOf(described(all))
    for (const [name, { examples }] of Object.entries(document.components.messages)) {
      const validate = validatorOf(document, name)
      const [example] = examples
      assert.isTrue(validate(example?.payload), `${name}: ${JSON.stringify(validate.errors)}`)
      assert.isFalse(validate({ ...example?.payload, data: 7 }), name)
      assert.isFalse(validate({ ...example?.payload, dataschema: "urn:event:other:1" }), name)
    }
    for (const event of all) {
      const json = Example.of(event.schema, event.name)
      const fields = { id: "1", time: 0, key: "k", correlationId: "c", causationId: "d", actor: { id: "a", role: "r" } }
      const written = JSON.parse(WireFormat.encoder(event, "test")(fields, json))
      const validate = validatorOf(document, `${event.name}.v${event.version}`)
      assert.isTrue(validate(written), `${event.name}: ${JSON.stringify(validate.errors)}`)
      assert.strictEqual(validate({ ...written, subject: undefined }), !event.declaresKey, event.name)
    }
  })

  it("refers to nothing that is not there", () => {
    const text = AsyncApi.print(described(all, { subscribers: [{ name: "odd", events: ["test.#"] }] }))
    const document: unknown = JSON.parse(text)
    const pointers = [...text.matchAll(/"\$ref": "#\/([^"]+)"/g)].map(([, pointer = ""]) => pointer)
    assert.isAbove(pointers.length, 100)
    for (const pointer of pointers) {
      const found = pointer.split("/").reduce<unknown>((at, part) => Object(at)[part], document)
      assert.isDefined(found, pointer)
    }
  })

  it("has an operation for what is published and for each subscriber", () => {
    const { channels, operations } = documentOf(
      described(all, {
        publishes: ["test.odd-one"],
        subscribers: [
          { name: "transcript", events: ["academic.grade.*"] },
          { name: "idle", events: ["nobody.publishes"] }
        ]
      })
    )
    assert.deepStrictEqual(Object.keys(operations), ["publish.test.odd-one", "handle.transcript"])
    assert.strictEqual(channels["subscriber.transcript"]?.address, "test.sub.transcript")
    assert.deepStrictEqual(operations["publish.test.odd-one"]?.messages, [
      { $ref: "#/channels/event.test.odd-one/messages/test.odd-one.v2" }
    ])
    assert.lengthOf(operations["handle.transcript"]?.messages ?? [], 4)
  })

  it("is the same in whatever order contracts and subscribers are listed", () => {
    const subscribers = [
      { name: "b", events: ["academic.#"] },
      { name: "a", events: ["user.#"] }
    ]
    const [one, other] = [
      described(all, { subscribers }),
      described(all.toReversed(), { subscribers: subscribers.toReversed() })
    ]
    for (const print of [AsyncApi.print, Types.file, Markdown.page, Html.page])
      assert.strictEqual(print(one), print(other))
  })
})

describe("an example", () => {
  it("is readable and valid", () => {
    const json = Example.of(GradePosted.schema, "seed")
    assert.deepStrictEqual(json, Example.of(GradePosted.schema, "seed"))
    assert.include(json, { studentId: "student-1", feedback: "feedback" })
    for (const event of all)
      for (const { data, version } of Snapshot.versionsOf(event))
        assert.isTrue(
          Result.isSuccess(event.dataCodec.decode(version, Example.of(data, "x"))),
          `${event.name} ${version}`
        )
  })

  it("is that of the author, if there is one", () => {
    const own = Schema.Struct({ at: Schema.Date }).annotate({ examples: [{ at: new Date(0) }] })
    assert.deepStrictEqual(Example.of(own, "x"), { at: "1970-01-01T00:00:00.000Z" })
  })

  it("is missing where none can be generated", () => {
    assert.isUndefined(Example.of(Schema.String.check(Schema.makeFilter(() => false)), "x"))
    assert.notInclude(Markdown.page(described([Event.make("a.b", { version: 1, data: Schema.Never })])), "```json")
  })
})

describe("TypeScript declarations", () => {
  it("compile, take the examples, and refuse what the contract refuses", () => {
    const folder = mkdtempSync(join(tmpdir(), "contract-types-"))
    try {
      const document = documentOf(described(all))
      const examples = Object.values(document.components.messages).map(
        ({ examples: [example] }) => `taken(${JSON.stringify(example?.payload)})`
      )
      const refused = [
        `// @ts-expect-error\nconst letter: Events["academic.grade.posted"]["letter"] = "E"`,
        `// @ts-expect-error\nconst score: Events["academic.grade.posted"]["score"] = { points: "1", outOf: 2 }`,
        `// @ts-expect-error\nconst missing: Events["academic.grade.posted"] = { studentId: "s" }`,
        `// @ts-expect-error\nconst tag: Events["test.odd-one"]["many"] = [{ "<tag>": 1 }]`,
        `// @ts-expect-error\ntaken({ specversion: "1.0", type: "academic.grade.posted" })`
      ]
      writeFileSync(join(folder, "events.d.ts"), Types.file(described(all)))
      writeFileSync(
        join(folder, "use.ts"),
        [
          `import type { AnyEvent, Events } from "./events.js"`,
          "const taken = (_event: AnyEvent): void => undefined",
          ...examples,
          ...refused,
          "void [letter, score, missing, tag]"
        ].join("\n")
      )
      const options = { strict: true, exactOptionalPropertyTypes: true, noEmit: true, module: "nodenext", types: [] }
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["*.ts"] }))
      const tsc = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" })
      assert.strictEqual(`${tsc.stdout}${tsc.stderr}${tsc.status}`, "0")
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe("the catalogue's pages", () => {
  const given = described(all, {
    publishes: ["test.odd-one"],
    publishers: [{ service: "odd-service", events: ["test.odd-one"] }],
    subscribers: [{ name: "odd-reader", events: ["test.*"] }]
  })

  it("say who publishes and subscribes, what is kept, and show an example", () => {
    const page = Markdown.page(given)
    const section = page.slice(page.indexOf("## test.odd-one"), page.indexOf("## user."))
    for (const line of [
      "- Version: 2; reads 1 as well",
      "- Key: `{tree.name}`",
      "- Published by: odd-service, for everyone",
      "- Subscribers: odd-reader",
      "- Remembered: the last event of each key, for 90 seconds",
      "| secret | string | yes | sensitive |",
      "Version 1:"
    ])
      assert.include(section, `\n${line}\n`)
    assert.include(section, '"name": "name"')
    assert.include(page, "- Published by: none of these services, for roles")
  })

  it("as HTML have no markup of contracts, and load nothing", () => {
    const page = Html.page(given)
    assert.include(page, "Not &lt;b&gt;bold&lt;/b&gt; &amp; | not a comment")
    assert.include(page, "many.*.&lt;tag&gt;")
    assert.notMatch(page, /<(?:script|link|img)|https?:\/\/|<tag>/)
  })
})

describe("docs/events", () => {
  it("is what `npm run documents` writes", () => {
    for (const [file, text] of Object.entries(documents())) assert.strictEqual(read(`docs/events/${file}`), text, file)
  })
})
