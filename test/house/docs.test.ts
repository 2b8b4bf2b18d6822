/** README, guides and docstrings: what they name exists, and what they show is compiled and run. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { anchorsOf, linksOf } from "../../scripts/headings.ts"
import { sources as sitePages } from "../../scripts/site/sources.ts"
import { table } from "../../scripts/settings.ts"
import { settings } from "../../src/app/Config.ts"
import { tested } from "../support/BrokerVersions.ts"
import { glob, read, root, sources } from "./Sources.ts"

const pages = glob("{*.md,docs/**/*.md,examples/**/*.md,bench/README.md,test/**/README.md}").filter(
  (page) => !page.startsWith("node_modules/")
)
const blocksOf = (page: string, language: string): ReadonlyArray<string> =>
  [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(([, code = ""]) => code)
const squeeze = (code: string): string => code.replace(/\s+/g, " ").trim()

describe("a page", () => {
  it("names scripts that exist", () => {
    const { scripts }: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(read("package.json"))
    const known = new Set(Object.keys(scripts))
    const unknown = pages.flatMap((page) =>
      [...read(page).matchAll(/\bnpm run (?:-s )?([a-z][a-z:]*)/g)]
        .map(([, name = ""]) => name)
        .filter((name) => !known.has(name))
        .map((name) => `${page}: npm run ${name}`)
    )
    assert.deepStrictEqual(unknown, [])
  })

  /** Links of a page that lead to no file, or to a file without such a heading. */
  const broken = (page: string, text: string): ReadonlyArray<string> =>
    linksOf(text)
      .filter((link) => {
        const [path = "", anchor] = link.split("#")
        const target = path === "" ? page : relative(root, join(root, dirname(page), path))
        if (!existsSync(join(root, target))) return true
        return anchor !== undefined && target.endsWith(".md") && !anchorsOf(read(target)).has(anchor)
      })
      .map((link) => `${page}: ${link}`)

  it("links to files and headings that exist", () => {
    assert.deepStrictEqual(
      broken(
        "docs/guides/publish.md",
        "[a](nowhere.md) [b](publish.md#nowhere) [c](#nowhere) [d](publish.md#outcomes)"
      ),
      ["nowhere.md", "publish.md#nowhere", "#nowhere"].map((link) => `docs/guides/publish.md: ${link}`)
    )
    assert.deepStrictEqual(
      pages.flatMap((page) => broken(page, read(page))),
      []
    )
  })

  it("names source files that exist", () => {
    const gone = pages
      .filter((page) => page !== "CHANGELOG.md")
      .flatMap((page) =>
        [...read(page).matchAll(/`((?:src|test|bench|docker|docs|examples|scripts)\/[\w./-]+\.\w+)`/g)]
          .map(([, path = ""]) => path)
          .filter((path) => !existsSync(join(root, path)))
          .map((path) => `${page}: ${path}`)
      )
    assert.deepStrictEqual(gone, [])
  })

  it("shows code that stands in examples/, where it is compiled and run", () => {
    const examples = glob("examples/**/*.ts").map((file) => squeeze(read(file)))
    const blocks = pages.flatMap((page) => blocksOf(page, "ts").map((code) => ({ page, code })))
    assert.isAbove(blocks.length, 15)
    const strangers = blocks.filter(({ code }) => !examples.some((example) => example.includes(squeeze(code))))
    assert.deepStrictEqual(
      strangers.map(({ code, page }) => `${page}: ${code.split("\n").find((line) => line.trim() !== "")}`),
      []
    )
  })
})

describe("the versions of brokers", () => {
  const listed = (versions: ReadonlyArray<string>): string =>
    versions.length < 2 ? versions.join() : `${versions.slice(0, -1).join(", ")} and ${versions.at(-1)}`
  const sentence = `Tested on ${Object.entries(tested)
    .map(([broker, versions]) => `${broker} ${listed(versions)}`)
    .join("; ")}.`

  it("that README and guide name are those of the tests", () => {
    for (const page of ["README.md", "docs/guides/on-rabbitmq.md"])
      assert.deepStrictEqual(
        read(page)
          .split("\n")
          .filter((line) => line.startsWith("Tested on ")),
        [sentence],
        page
      )
  })

  it("that the compose file names are the newest of them", () => {
    const images = [...read("docker/compose.yaml").matchAll(/image: (rabbitmq|redis|valkey\/valkey):([\d.]+)/g)]
    const newest = {
      rabbitmq: tested.RabbitMQ.at(-1),
      redis: tested.Redis.at(-1),
      "valkey/valkey": tested.Valkey.at(-1)
    }
    assert.lengthOf(images, 2)
    assert.deepStrictEqual(
      images.map(([, image, version]) => [image, version]),
      images.map(([, image = ""]) => [image, Object.entries(newest).find(([name]) => name === image)?.[1]])
    )
  })
})

describe("the README", () => {
  it("fits a stranger's patience", () => {
    assert.isAtMost(read("README.md").trimEnd().split("\n").length, 220)
  })

  it("links to every guide", () => {
    const readme = read("README.md")
    assert.deepStrictEqual(
      glob("docs/guides/*.md").filter((guide) => !readme.includes(`(${guide})`)),
      []
    )
  })
})

describe("the documentation site", () => {
  it("has a place for every guide", () => {
    const placed = new Set(sitePages([]).flatMap(({ group, path }) => (group === undefined ? [] : [path])))
    assert.deepStrictEqual(
      glob("docs/guides/*.md").filter((guide) => !placed.has(guide)),
      []
    )
  })
})

describe("the settings", () => {
  it("are listed as they are", () => {
    assert.include(read("docs/guides/settings.md"), table(Object.values(settings)))
  })
})

describe("docstrings", () => {
  it("have examples that compile", () => {
    const folder = join(root, "test/.generated")
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    let count = 0
    for (const file of sources) {
      for (const match of read(file).matchAll(/\* ```ts\n([\s\S]*?)\* ```/g)) {
        const code = (match[1] ?? "").replace(/^ *\* ?/gm, "")
        writeFileSync(join(folder, `${file.replaceAll("/", "_").replace(".ts", "")}_${count++}.ts`), code)
      }
    }
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: "../../tsconfig.json",
        compilerOptions: {
          noUnusedLocals: false,
          paths: {
            "@eduflow/events": ["../../src/index.ts"],
            "@eduflow/events/testing": ["../../src/testing/index.ts"],
            "@eduflow/events/catalog": ["../../src/catalog/index.ts"],
            "@eduflow/events/ports": ["../../src/ports/index.ts"],
            "@eduflow/events/nest": ["../../src/nest/index.ts"],
            "@eduflow/events/outbox": ["../../src/outbox/index.ts"]
          }
        },
        include: ["*.ts"]
      })
    )
    const { status, stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["--noEmit", "-p", folder], {
      encoding: "utf8"
    })
    assert.strictEqual(`${stdout}${status}`, "0")
    assert.isAbove(count, 5)
    rmSync(folder, { recursive: true, force: true })
  })
})
