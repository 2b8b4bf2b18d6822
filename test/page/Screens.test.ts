/** How the page looks and reads: at two sizes, dark and light, as a tree of roles and names, and with enough contrast. */
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { afterAll, assert, beforeAll, expect, it } from "vitest"
import { describeInBrowser, missing } from "../support/Browser.ts"
import { describeLive } from "../support/live.ts"
import { AccountOpened, failing, GradePosted, mailer, picture, type Stage, start } from "./PageStage.ts"

const views = [
  "overview",
  "subscribers",
  `subscribers/${mailer}`,
  "dead-letters",
  `dead-letters/${mailer}`,
  `dead-letters/${mailer}/down-1`,
  "last-known",
  "topology",
  "doctor"
]

const screens = [
  { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  { viewport: { width: 375, height: 720 }, colorScheme: "light" },
  { viewport: { width: 375, height: 720 }, colorScheme: "dark" }
] as const

/** Texts with less contrast than WCAG asks for (AA), texts beyond the right edge, and controls without a name. */
const faults = `(() => {
  const found = []
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number)
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const backOf = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor)
      if (color.length === 3 || color[3] === 1) return color
    }
    return [255, 255, 255]
  }
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "")
    const box = element.getBoundingClientRect()
    if (!own || box.width === 0 || box.right < 0 || element.closest(":disabled, thead")) continue
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(backOf(element))]
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
    const name = element.localName + " " + element.textContent.slice(0, 40)
    if (contrast < 4.5) found.push("contrast " + contrast.toFixed(2) + " of " + name)
    if (box.right > innerWidth + 1) found.push("beyond the edge: " + name)
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page scrolls sideways")
  for (const control of document.querySelectorAll("button, input, select, textarea, a")) {
    const box = control.getBoundingClientRect()
    if (box.width === 0) continue
    const name = control.getAttribute("aria-label") || control.labels?.[0]?.textContent || control.textContent
    if (!name?.trim()) found.push("no name: " + control.outerHTML.slice(0, 80))
    const isSmall = box.height < 24 || box.width < 20
    if (isSmall && control.localName !== "a" && box.right > 0 && control.type !== "checkbox") found.push("small: " + name)
  }
  return found
})()`

const withoutBrowser = await missing()

describeInBrowser("the looks of the page", withoutBrowser, () => {
  describeLive("the looks of the page", () => {
    let stage: Stage
    beforeAll(async () => {
      stage = await start()
      for (const [student, how] of [
        ["s-down", "down"],
        ["s-full", "full"]
      ] as const)
        failing.set(student, how)
      for (const id of ["down-1", "full-1", "down-2", "down-3"])
        await Effect.runPromise(
          stage.bus.publish(
            GradePosted,
            { studentId: `s-${id.slice(0, 4)}`, course: "Databases", grade: 88, mail: "amara@example.edu" },
            { id }
          )
        )
      await Effect.runPromise(stage.bus.publish(AccountOpened, { userId: "u-1", name: "Amara Okafor" }))
    })
    afterAll(async () => {
      await stage.stop()
      failing.clear()
      assert.deepStrictEqual(stage.complaints, [])
    })

    /** Once it shows what it asks for. */
    const settled = async (page: Page, view: string): Promise<void> => {
      await page.getByRole("heading", { level: 1 }).waitFor()
      const first =
        view.startsWith("dead-letters") || view.startsWith("subscribers") || view === "overview"
          ? page
              .getByRole("rowheader")
              .or(page.getByRole("heading", { name: "Diagnosis" }))
              .first()
          : view === "last-known"
            ? page.getByRole("button", { name: "History" })
            : page.getByRole("region").getByRole("heading", { level: 2 }).first()
      await first.waitFor()
    }

    for (const { colorScheme, viewport } of screens) {
      it(`has contrast, names and room on ${viewport.width} px, ${colorScheme}`, async () => {
        const page = await stage.open("overview", { colorScheme, viewport })
        for (const view of views) {
          await page.goto(`${stage.address}/#/${view}`)
          await settled(page, view)
          assert.deepStrictEqual(await page.evaluate(faults), [], view)
          if (viewport.width === 375 && colorScheme === "dark" && ["overview", `dead-letters/${mailer}`].includes(view))
            await picture(page, `${view.split("/")[0]}-375-dark`)
        }
        await page.context().close()
      })
    }

    it("reads as a tree of roles and names", async () => {
      const page = await stage.open(`dead-letters/${mailer}`)
      await page.getByRole("checkbox", { name: "Select down-1" }).waitFor()
      expect(await page.getByRole("navigation").ariaSnapshot()).toBe(`- navigation "Views":
  - list:
    - listitem:
      - link "Overview":
        - /url: "#/overview"
    - listitem:
      - link "Subscribers":
        - /url: "#/subscribers"
    - listitem:
      - link "Dead letters":
        - /url: "#/dead-letters"
    - listitem:
      - link "Last known":
        - /url: "#/last-known"
    - listitem:
      - link "Topology":
        - /url: "#/topology"
    - listitem:
      - link "Doctor":
        - /url: "#/doctor"`)
      const main = await page.getByRole("main").ariaSnapshot()
      for (const part of [
        `- heading "Dead letters of ${mailer}" [level=1]`,
        '- group "What to do with the letters":',
        '- button "Try a replay"',
        '- button "Replay…"',
        '- table "Letters, oldest first":',
        '- columnheader "Reason"',
        '- rowheader "down-1":',
        '- checkbox "Select down-1"'
      ])
        assert.include(main, part)
      await page.setViewportSize({ width: 375, height: 720 })
      // As cards it is the same table.
      assert.strictEqual(await page.getByRole("main").ariaSnapshot(), main)
      await page.context().close()
    })

    it("leads past the navigation, and into each view that is opened", async () => {
      const page = await stage.open("overview")
      await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor()
      await page.keyboard.press("Tab")
      assert.strictEqual(await page.evaluate("document.activeElement.textContent"), "Skip to the content")
      await page.keyboard.press("Enter")
      assert.strictEqual(await page.evaluate("document.activeElement.localName"), "main")
      await page.getByRole("link", { name: "Doctor" }).focus()
      await page.keyboard.press("Enter")
      await page.getByRole("heading", { name: "Doctor", level: 1 }).waitFor()
      assert.strictEqual(await page.evaluate("document.activeElement.textContent"), "Doctor")
      assert.strictEqual(await page.title(), "Doctor – event bus")
      await page.goBack()
      await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor()
      await page.context().close()
    })
  })
})
