/** The documentation site: it builds, every link within it leads somewhere, its search finds, and it loads nothing from elsewhere. */
import { spawnSync } from "node:child_process"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { pathToFileURL } from "node:url"
import { createContext, runInContext } from "node:vm"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { describeInBrowser, launch, missing } from "../support/Browser.ts"
import { openScratch } from "../support/Scratch.ts"
import { glob } from "../house/Sources.ts"

const root = join(import.meta.dirname, "../..")
const folder = join(openScratch("site").dir, "site")
const read = (path: string): string => readFileSync(join(folder, path), "utf8")
const run = (...args: ReadonlyArray<string>): string => {
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" })
  assert.strictEqual(status, 0, `${stdout}${stderr}`)
  return stdout
}

let pages: ReadonlyArray<string> = []
beforeAll(() => {
  run("scripts/site/build.ts", folder)
  pages = globSync("**/*.html", { cwd: folder }).toSorted()
})

/** Links of a page to files of the site that are not there, or to places that they do not have. */
const broken = (page: string, html: string): ReadonlyArray<string> =>
  [...html.matchAll(/\s(?:href|src)="([^"]*)"/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^(?:https?|mailto|data):/.test(link))
    .filter((link) => {
      const [path = "", anchor] = link.split("#")
      const file = path === "" ? page : relative(folder, join(folder, dirname(page), path))
      if (!existsSync(join(folder, file))) return true
      return anchor !== undefined && anchor !== "" && !read(file).includes(`id="${decodeURIComponent(anchor)}"`)
    })
    .map((link) => `${page}: ${link}`)

interface Found {
  readonly url: string
}

describe("the documentation site", () => {
  it("is made by code whose types hold", () => {
    run("node_modules/typescript/bin/tsc", "--noEmit", "--project", "scripts/site")
  })

  it("has a page for each guide, each decision, each example and each door", () => {
    const written = [
      ...glob("docs/guides/*.md"),
      ...glob("docs/adr/0*.md"),
      ...glob("api/*.md"),
      ...glob("examples/*.ts")
    ]
    const expected = [...written.map((path) => path.replace(/\.(?:md|ts)$/, ".html")), "index.html"]
    assert.deepStrictEqual(
      expected.filter((page) => !pages.includes(page)),
      []
    )
  })

  it("has no link that leads nowhere", () => {
    assert.deepStrictEqual(broken("index.html", '<a href="docs/no.html"> <a href="#no"> <a href="index.html">'), [
      "index.html: docs/no.html",
      "index.html: #no"
    ])
    assert.deepStrictEqual(
      pages.flatMap((page) => broken(page, read(page))),
      []
    )
  })

  it("has no page that no page leads to", () => {
    const linked = new Set(
      pages.flatMap((page) =>
        [...read(page).matchAll(/\shref="([^"#:]+\.html)/g)].map(([, link = ""]) =>
          relative(folder, join(folder, dirname(page), link))
        )
      )
    )
    assert.deepStrictEqual(
      pages.filter((page) => !linked.has(page)),
      []
    )
  })

  it("loads nothing from elsewhere", () => {
    const loading = /<(?:script|img|iframe|source)\b[^>]*\ssrc="(?:https?:)?\/\/|<link\b[^>]*href="(?:https?:)?\/\//
    assert.deepStrictEqual(
      pages.filter((page) => loading.test(read(page))),
      []
    )
    assert.notMatch(read("assets/site.css"), /@import|url\(/)
    assert.notMatch(read("assets/site.js"), /\bfetch\(|https?:/)
  })

  it("has docstrings in its reference, and both faces in its quick start", () => {
    assert.include(read("api/events.html"), "Connects a bus, or rejects with a <code>BrokerError</code>")
    const tabs = [...read("docs/guides/quick-start.html").matchAll(/data-tab="(\w+)"/g)].map(([, name]) => name)
    assert.isAtLeast(tabs.length, 8)
    assert.deepStrictEqual(new Set(tabs), new Set(["Effect", "Promises"]))
    assert.deepStrictEqual(
      pages.filter((page) => read(page).includes("<!-- tabs")),
      []
    )
  })

  it("finds words by an index that needs no server", () => {
    const context = createContext({})
    for (const script of ["minisearch.js", "search-index.js"]) runInContext(read(`assets/${script}`), context)
    const search = (words: string): ReadonlyArray<string> =>
      // It returns a text that this test wrote the form of.
      (
        JSON.parse(
          runInContext(
            `JSON.stringify(MiniSearch.loadJSON(docsIndex, { fields: ["title", "page", "body"], storeFields: ["url"] })
              .search(${JSON.stringify(words)}, { combineWith: "AND" }))`,
            context
          ) as string
        ) as ReadonlyArray<Found>
      ).map(({ url }) => url)
    assert.include(search("zombies"), "docs/runbook.html#eventbuszombies")
    assert.include(search("unroutable"), "docs/guides/publish.html#outcomes")
    assert.include(search("createEventBus"), "api/events.html#createeventbus")
    assert.deepStrictEqual(search("kwyjibo"), [])
  })
})

const withoutBrowser = await missing()

describeInBrowser("the documentation site, opened as a file", withoutBrowser, () => {
  let browser: Awaited<ReturnType<typeof launch>>
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())

  for (const [width, height] of [
    [1280, 800],
    [390, 844]
  ] as const)
    it(`reads, searches and switches tabs on ${width} px`, async () => {
      const context = await browser.newContext({ viewport: { width, height } })
      const page = await context.newPage()
      const complaints: Array<string> = []
      page.on("console", (message) => complaints.push(message.text()))
      page.on("pageerror", (error) => complaints.push(error.message))
      page.on("request", (request) => {
        if (!/^(?:file|data):/.test(request.url())) complaints.push(request.url())
      })
      for (const path of ["docs/guides/failures.html", "api/events.html", "docs/events/index.html", "index.html"]) {
        await page.goto(pathToFileURL(join(folder, path)).href)
        assert.isAtMost(await page.evaluate<number>("document.documentElement.scrollWidth"), width, path)
      }
      await page.goto(pathToFileURL(join(folder, "docs/guides/quick-start.html")).href)
      const own = page.getByText("const bus = await createEventBus()")
      assert.isFalse(await own.isVisible())
      await page.getByRole("tab", { name: "Promises" }).first().click()
      assert.isTrue(await own.isVisible())
      await page.getByRole("searchbox").fill("zombies")
      await page.getByRole("link", { name: "EventBusZombies" }).first().click()
      await page.waitForURL(/docs\/runbook\.html#eventbuszombies$/)
      if (width < 800) {
        await page.getByRole("button", { name: "Menu" }).click()
        await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Kubernetes" }).click()
      } else await page.getByRole("link", { name: "Kubernetes" }).first().click()
      await page.getByRole("heading", { level: 1, name: "Kubernetes" }).waitFor()
      assert.deepStrictEqual(complaints, [])
      await context.close()
    })
})
