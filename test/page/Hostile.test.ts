/** Texts from outside on the page: whatever an event, an error or an address says is shown as text, and does nothing. */
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { afterAll, assert, beforeAll, expect, it } from "vitest"
import { describeInBrowser, missing } from "../support/Browser.ts"
import { describeLive } from "../support/live.ts"
import { failing, GradePosted, mailer, type Stage, start } from "./PageStage.ts"

/** Each sets the title of the page if it is more than text. */
const act = "document.title='taken over'"

interface Hostile {
  readonly name: string
  readonly text: string
  /** How it is shown, where not as it is. */
  readonly shown?: string
  /** Its start, where it is too long to be compared. */
  readonly isLong?: boolean
}

const table: ReadonlyArray<Hostile> = [
  { name: "a script", text: `<script>${act}</script>` },
  { name: "an image that fails", text: `<img src=x onerror="${act}">` },
  { name: "a drawing that loads", text: `"><svg onload=${act}>` },
  { name: "the end of its place", text: `</bdi></pre></main><h1>Taken over</h1><style>*{display:none}</style>` },
  { name: "a frame", text: `<iframe srcdoc="<script>parent.${act}</script>"></iframe>` },
  { name: "an address that runs", text: `javascript:${act}` },
  { name: "a template", text: "{{constructor.constructor('return 1')()}} ${7*7} <%= 7*7 %>" },
  { name: "entities", text: "&lt;b&gt; &#x3c;script&#x3e;" },
  {
    name: "control characters",
    text: "a\u0000b\u001b[31mc\u0007d\u009be",
    shown: "a\\u0000b\\u001b[31mc\\u0007d\\u009be"
  },
  { name: "turned text", text: "invoice\u202egnp.exe\u2066x", shown: "invoice\\u202egnp.exe\\u2066x" },
  { name: "text from right to left", text: "الرياضيات ١٢٣ עברית" },
  { name: "hidden characters", text: "a\u200e\ufeffb\u2028c", shown: "a\\u200e\\ufeffb\\u2028c" },
  { name: "marks without end", text: `e${"\u0301".repeat(500)}` },
  { name: "a word without end", text: "W".repeat(3000) },
  { name: "nearly a megabyte", text: `<b>${"0123456789abcdef".repeat(60_000)}`, isLong: true }
]

const withoutBrowser = await missing()

describeInBrowser("hostile texts on the page", withoutBrowser, () => {
  describeLive("hostile texts on the page", () => {
    let stage: Stage
    let page: Page
    beforeAll(async () => {
      stage = await start()
      failing.set("<b>student</b>", "echo")
      for (const [index, { text }] of table.entries())
        await Effect.runPromise(
          stage.bus.publish(
            GradePosted,
            { studentId: "<b>student</b>", course: text, grade: 1, mail: "secret@example.edu" },
            { id: `<i>hostile-${index}</i>` }
          )
        )
      page = await stage.open(`dead-letters/${mailer}`)
    })
    afterAll(async () => {
      await stage.stop()
      failing.clear()
      assert.deepStrictEqual(stage.complaints, [])
    })

    /** Elements that no text may add, and the tags that there are at all. */
    const elements = async (): Promise<unknown> => {
      const code = `(() => {
        const all = [...document.querySelectorAll("*")]
        const own = new Set(["script", "link", "style", "img", "svg", "iframe", "object", "embed", "base", "b", "i", "font"])
        return [
          all.map((one) => one.localName).filter((name) => own.has(name)).sort().join(" "),
          all.flatMap((one) => [...one.attributes]).filter(({ name }) => name.startsWith("on") || name === "style").length,
          all.filter((one) => /^\\s*javascript:/i.test(one.getAttribute("href") ?? "")).length,
          document.title === "taken over"
        ]
      })()`
      return page.evaluate(code)
    }
    const clean = ["link link script", 0, 0, false]

    it("are text in the list", async () => {
      await expect
        .poll(
          async () => {
            await page.getByRole("button", { name: "Read again" }).click()
            return page
              .getByRole("table", { name: /^Letters/ })
              .getByRole("row")
              .count()
          },
          { timeout: 60_000 }
        )
        .toBe(table.length + 1)
      assert.deepStrictEqual(await elements(), clean)
      const rows = page.getByRole("table", { name: /^Letters/ })
      await rows.getByRole("cell", { name: "<b>student</b>" }).first().waitFor()
      await rows.getByRole("link", { name: "<i>hostile-0</i>", exact: true }).waitFor()
      await rows.getByText(`MailServerDown: <script>${act}</script>`).waitFor()
    })

    for (const [index, { isLong = false, name, shown, text }] of table.entries()) {
      it(`are text in a letter: ${name}`, async () => {
        const id = `<i>hostile-${index}</i>`
        await page.goto(`${stage.address}/#/dead-letters/${mailer}/${encodeURIComponent(id)}`)
        await page.getByRole("heading", { name: `Dead letter ${id}` }).waitFor()
        const body = page.getByRole("region", { name: "Body" })
        await body.waitFor()
        if (isLong) {
          await page.getByRole("button", { name: /^Show all 16,\d+ characters$/ }).click()
          assert.include(await body.textContent(), text.slice(0, 16_000))
        } else {
          assert.include(await body.textContent(), shown ?? text.replaceAll('"', '\\"'))
        }
        assert.deepStrictEqual(await elements(), clean)
      })
    }

    it("are text in an address, in an error and in what an operator says", async () => {
      const reason = `<img src=x onerror="${act}">`
      for (const view of ["dead-letters", "subscribers", "dead-letters/undeliverable"]) {
        await page.goto(`${stage.address}/#/${view}/${encodeURIComponent(reason)}`)
        await page.getByRole("heading", { level: 1 }).filter({ hasText: "<img" }).waitFor()
        assert.deepStrictEqual(await elements(), clean)
      }
      await page.goto(`${stage.address}/#/subscribers/${mailer}`)
      await page.getByLabel("Why it is paused").fill(reason)
      await page.getByRole("button", { name: "Pause in all processes…" }).click()
      await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click()
      await page.getByText(`by Zoë, on call: ${reason}`).waitFor()
      assert.deepStrictEqual(await elements(), clean)
      await page.goto(`${stage.address}/#/overview`)
      await page.getByText(reason).waitFor()
      const overview = await elements()
      assert.deepStrictEqual(overview, ["link link script svg", 0, 0, false])
    })

    it("could not become markup, even by a mistake of the page", async () => {
      const tried = await page.evaluate(`(() => {
        try {
          document.createElement("p").innerHTML = "<b>x</b>"
          return "it did"
        } catch (error) {
          return error.name
        }
      })()`)
      assert.strictEqual(tried, "TypeError")
      const inline = await page.evaluate(`(() => {
        const script = document.createElement("script")
        try { script.textContent = ${JSON.stringify(act)} } catch { return "refused" }
        document.head.append(script)
        return document.title
      })()`)
      assert.strictEqual(inline, "refused")
      // The browser has said what it refused.
      stage.complaints.splice(0)
    })
  })
})
