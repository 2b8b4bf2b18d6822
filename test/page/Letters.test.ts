/** What a person on call does with dead letters on the page: find, read, try, replay, correct, discard. */
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { afterAll, assert, beforeAll, expect, it } from "vitest"
import { describeInBrowser, missing } from "../support/Browser.ts"
import { describeLive } from "../support/live.ts"
import { failing, GradePosted, mailer, picture, type Stage, start } from "./PageStage.ts"

/** For a machine that does much else. */
const patience = { timeout: 60_000 }

const withoutBrowser = await missing()

describeInBrowser("dead letters on the page", withoutBrowser, () => {
  describeLive("dead letters on the page", () => {
    let stage: Stage
    const post = (id: string, studentId: string) =>
      Effect.runPromise(
        stage.bus.publish(
          GradePosted,
          { studentId, course: "Linear Algebra", grade: 93, mail: `${studentId}@example.edu` },
          { id }
        )
      )
    /** Letters that the server counts, once they are as many as are awaited. */
    const counted = (page: Page, most: string) =>
      expect.poll(
        async () => {
          await page.getByRole("button", { name: "Read again" }).click()
          return page
            .getByRole("table", { name: /^Letters/ })
            .getByRole("row")
            .count()
        },
        { ...patience, message: most }
      )
    const letters = (page: Page) => page.getByRole("table", { name: /^Letters/ })
    const said = (page: Page, text: string) => page.getByRole("status").filter({ hasText: text }).waitFor()

    beforeAll(async () => {
      stage = await start()
      failing.set("s-down", "down")
      failing.set("s-full", "full")
      for (let n = 1; n <= 6; n++) await post(`down-${n}`, "s-down")
      for (let n = 1; n <= 3; n++) await post(`full-${n}`, "s-full")
    })
    afterAll(async () => {
      await stage.stop()
      failing.clear()
      assert.deepStrictEqual(stage.complaints, [])
    })

    it("are counted, filtered and read with their diagnosis", async () => {
      const page = await stage.open("dead-letters")
      const source = page.getByRole("table", { name: "Sources" }).getByRole("row").filter({ hasText: mailer })
      await source.getByRole("cell", { name: "9", exact: true }).waitFor()
      await page.getByRole("link", { name: mailer }).click()
      await counted(page, "all letters").toBe(10)
      await page.getByText("Works on all letters of this source.").waitFor()
      await page.getByText("Filter", { exact: true }).click()
      await page.getByRole("form", { name: "Filter" }).getByLabel("Error tag").fill("MailboxFull")
      await page.getByRole("button", { name: "Apply the filter" }).click()
      await page.getByText("Works on all letters that the filter finds.").waitFor()
      // A look that began before the filter was there ends first.
      await expect.poll(() => letters(page).getByRole("row").count(), patience).toBe(4)
      await page.getByLabel("Failed at least … ago").fill("soon")
      await page.getByRole("button", { name: "Apply the filter" }).click()
      await page.getByText("olderThan").waitFor()
      await page.getByRole("button", { name: "Clear" }).click()
      await letters(page).getByRole("link", { name: "full-2" }).click()
      await page.getByRole("heading", { name: "Dead letter full-2", level: 1 }).waitFor()
      await page.getByText("the mailbox of s-full is full").first().waitFor()
      const body = page.getByRole("region", { name: "Body" })
      assert.include(await body.textContent(), '"course": "Linear Algebra"')
      assert.include(await body.textContent(), "<redacted>")
      assert.notInclude(await page.content(), "s-full@example.edu")
      await page.getByRole("region", { name: "Stack" }).waitFor()
      await picture(page, "dead-letter-1280-light", 720)
      await page.context().close()
    })

    it("are read by one view after the other: a letter is there although the list is being read", async () => {
      const page = await stage.open(`dead-letters/${mailer}`)
      await counted(page, "all letters").toBe(10)
      let goOn = (): void => {}
      const held = new Promise<void>((resolve) => (goOn = resolve))
      const list = `**/api/dead-letters/${mailer}?**`
      await page.route(list, async (route) => {
        await held
        await route.continue()
      })
      const begun = page.waitForRequest(list)
      await page.getByRole("button", { name: "Read again" }).click()
      await begun
      const asked: Array<string> = []
      page.on("request", (request) => void (request.url().includes("/full-2?") && asked.push(request.url())))
      await letters(page).getByRole("link", { name: "full-2" }).click()
      await page.getByRole("heading", { name: "Dead letter full-2", level: 1 }).waitFor()
      // An answer of the page's script comes behind what the click has sent.
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)))
      assert.isEmpty(asked)
      goOn()
      await page.getByText("the mailbox of s-full is full").first().waitFor()
      await page.context().close()
    })

    it("are selected, tried, replayed after a question, and gone where they are handled now", async () => {
      const page = await stage.open(`dead-letters/${mailer}`)
      for (const id of ["down-1", "down-2"]) await page.getByRole("checkbox", { name: `Select ${id}` }).check()
      await page.getByText("Works on 2 selected letters.").waitFor()
      await page.getByRole("button", { name: "Try a replay" }).click()
      await said(page, "Dry run: 2 letters would be replayed.")
      await counted(page, "nothing is gone").toBe(10)
      failing.delete("s-down")
      await page.getByRole("button", { name: "Replay…" }).click()
      const dialog = page.getByRole("dialog", { name: "Replay 2 letters?" })
      await dialog.getByText("MailServerDown (2)").waitFor()
      await picture(page, "replay-1280-light")
      await dialog.getByRole("button", { name: "Cancel" }).click()
      await said(page, "Nothing was changed.")
      await page.getByRole("button", { name: "Replay…" }).click()
      await dialog.getByRole("button", { name: "Replay", exact: true }).click()
      await said(page, "2 letters replayed.")
      await counted(page, "two are gone").toBe(8)
      assert.strictEqual(await letters(page).getByRole("link", { name: "down-1" }).count(), 0)
      await page.context().close()
    })

    it("are not worked on while the page reads them: what one look holds, another does not see", async () => {
      const page = await stage.open(`dead-letters/${mailer}`)
      await counted(page, "all that are left").toBe(8)
      const posts: Array<string> = []
      page.on("request", (request) => void (request.method() === "POST" && posts.push(request.url())))
      let goOn = (): void => {}
      const held = new Promise<void>((resolve) => (goOn = resolve))
      await page.route(`**/api/dead-letters/${mailer}?**`, async (route) => {
        await held
        await route.continue()
      })
      const begun = page.waitForRequest(`**/api/dead-letters/${mailer}?**`)
      await page.getByRole("button", { name: "Read again" }).click()
      await begun
      await page.getByRole("button", { name: "Try a replay" }).click()
      // An answer of the page's script comes behind what the click has sent.
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)))
      assert.isEmpty(posts)
      goOn()
      await said(page, "Dry run: 7 letters would be replayed.")
      await page.context().close()
    })

    it("are replayed slowly, with progress, and the rest stays when it is stopped", async () => {
      const page = await stage.open(`dead-letters/${mailer}`)
      await counted(page, "all that are left").toBe(8)
      await page.getByLabel("Replays a second").fill("0.5")
      await page.getByRole("button", { name: "Replay…" }).click()
      await page.getByRole("dialog").getByRole("button", { name: "Replay", exact: true }).click()
      await page.getByText(/^Replaying: [1-6] of 7$/).waitFor()
      const progress = page.getByRole("progressbar", { name: "Progress" })
      assert.isAbove(Number(await progress.getAttribute("value")), 0)
      await page.getByRole("button", { name: "Stop" }).click()
      await said(page, "Stopped. What was done is done")
      await expect
        .poll(async () => {
          await page.getByRole("button", { name: "Read again" }).click()
          return letters(page).getByRole("row").count()
        }, patience)
        .toBeGreaterThan(1)
      await page.context().close()
    })

    it("are corrected as the contract allows, and replayed", async () => {
      const page = await stage.open(`dead-letters/${mailer}/full-1`)
      const patch = page.getByLabel("Fields of the data to change, as JSON")
      await patch.fill('{"grade": "A"}')
      await page.getByRole("button", { name: "Try the change" }).click()
      await page.getByRole("alert").filter({ hasText: "data.grade" }).waitFor()
      await patch.fill("no JSON")
      await page.getByRole("button", { name: "Try the change" }).click()
      await page.getByRole("alert").filter({ hasText: "not JSON" }).waitFor()
      await patch.fill('{"grade": 95, "course": "Ethics"}')
      await page.getByRole("button", { name: "Try the change" }).click()
      await said(page, "Dry run: 2 fields would change.")
      failing.delete("s-full")
      await page.getByRole("button", { name: "Correct and replay…" }).click()
      const dialog = page.getByRole("dialog", { name: "Correct and replay this letter?" })
      await dialog.getByText("data.course").waitFor()
      await dialog.getByRole("button", { name: "Correct and replay" }).click()
      await said(page, "The letter is corrected and replayed.")
      await page.getByText("The letter is not here any more.").waitFor()
      await page.context().close()
    })

    it("are discarded for good, all of them only when that was said", async () => {
      failing.set("s-down", "down")
      await post("last-1", "s-down")
      await post("last-2", "s-down")
      const page = await stage.open(`dead-letters/${mailer}`)
      await expect
        .poll(async () => {
          await page.getByRole("button", { name: "Read again" }).click()
          return letters(page).getByRole("link", { name: "last-2" }).count()
        }, patience)
        .toBe(1)
      await page.getByRole("button", { name: "Discard…" }).click()
      const dialog = page.getByRole("dialog", { name: /^Discard \d+ letters\?$/ })
      await dialog.getByText("all letters of this source").waitFor()
      assert.strictEqual(await page.evaluate("document.activeElement?.textContent"), "Cancel")
      await dialog.getByRole("button", { name: "Discard" }).click()
      await said(page, "deleted.")
      await page.getByText("No dead letter.").waitFor()
      await page.context().close()
    })
  })
})
