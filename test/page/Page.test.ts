/** What a person on call sees of the system on the page, in Chromium, on a real RabbitMQ and Redis: by roles and names. */
import { Effect } from "effect"
import { afterAll, assert, beforeAll, expect, it } from "vitest"
import { describeInBrowser, missing } from "../support/Browser.ts"
import { describeLive } from "../support/live.ts"
import {
  AccountOpened,
  directory,
  failing,
  GradePosted,
  isPictured,
  mailer,
  picture,
  type Stage,
  start,
  token
} from "./PageStage.ts"

/** For a machine that does much else. */
const patience = { timeout: 60_000 }

const withoutBrowser = await missing()

describeInBrowser("the page", withoutBrowser, () => {
  describeLive("the page", () => {
    let stage: Stage
    const post = (id: string, studentId: string, number = 93) =>
      Effect.runPromise(
        stage.bus.publish(
          GradePosted,
          { studentId, course: "Linear Algebra", grade: number, mail: `${studentId}@example.edu` },
          { id }
        )
      )

    beforeAll(async () => {
      stage = await start()
    })
    afterAll(async () => {
      await stage.stop()
      assert.deepStrictEqual(stage.complaints, [])
    })

    it("asks for a token, keeps it in the tab, and forgets it", async () => {
      const page = await stage.open("overview", { isStranger: true })
      const field = page.getByLabel("Token")
      await field.fill("a wrong one")
      await page.getByRole("button", { name: "Log in" }).click()
      await page.getByRole("alert").filter({ hasText: "letters, digits and signs" }).waitFor()
      await field.fill("wrong")
      await page.keyboard.press("Enter")
      await page.getByRole("alert").filter({ hasText: "was not accepted" }).waitFor()
      await field.fill(token)
      await page.keyboard.press("Enter")
      const overview = page.getByRole("heading", { name: "Overview", level: 1 })
      await overview.waitFor()
      await page.getByText("Zoë, on call").waitFor()
      await page.reload()
      await overview.waitFor()
      assert.deepStrictEqual(await page.evaluate("[document.cookie, localStorage.length]"), ["", 0])
      await page.getByRole("button", { name: "Log out" }).click()
      await field.waitFor()
      await page.reload()
      await field.waitFor()
      await page.context().close()
    })

    it("needs no token where the server knows people by other means, and shows that it is read-only", async () => {
      const address = await stage.serve({ readOnly: true, authorize: () => Effect.succeed({ name: "ben" }) })
      const page = await stage.open(`subscribers/${mailer}`, { address, isStranger: true })
      await page.getByRole("banner").getByText("Read-only").waitFor()
      assert.isTrue(await page.getByRole("button", { name: "Pause in all processes…" }).isDisabled())
      await page.goto(`${address}/#/dead-letters/${mailer}`)
      assert.isTrue(await page.getByRole("button", { name: "Replay…" }).isDisabled())
      assert.isTrue(await page.getByRole("button", { name: "Discard…" }).isDisabled())
      await page.getByRole("button", { name: "Try a replay" }).click()
      await page.getByRole("status").filter({ hasText: "Dry run: 0 letters would be replayed." }).waitFor()
      await page.context().close()
    })

    it("shows how the fleet is, live", async () => {
      const page = await stage.open("overview")
      const own = page.getByRole("table", { name: "Processes" }).getByRole("row").filter({ hasText: "notification" })
      await own.getByRole("cell", { name: "Up", exact: true }).waitFor()
      const figure = (name: string) =>
        page.locator("dl.figures > div").filter({ hasText: name }).getByRole("definition").textContent()
      await expect.poll(() => figure("Connections blocked"), patience).toBe("0")
      await expect.poll(() => figure("Restarts"), patience).toBe("0")
      for (let n = 0; n < 200; n++)
        await Effect.runPromise(stage.bus.publish(AccountOpened, { userId: `u-${n}`, name: "Amara Okafor" }))
      await expect
        .poll(async () => Number(await figure("Handled a second")), { ...patience, interval: 100 })
        .toBeGreaterThan(0)
      if (isPictured) {
        for (let n = 0; n < 300; n++) {
          await Effect.runPromise(stage.bus.publish(AccountOpened, { userId: `u-${n}`, name: "Amara Okafor" }))
          await page.waitForTimeout(20 + 40 * Math.sin(n / 40) ** 2)
        }
        await picture(page, "overview-1280-light")
      }
      await page.context().close()
    })

    it("shows subscribers with their lanes", async () => {
      failing.set("s-slow", "slow")
      for (const id of ["slow-1", "slow-2", "slow-3"]) await post(id, "s-slow")
      const page = await stage.open("subscribers")
      await page.getByRole("table", { name: "Subscribers" }).getByRole("row").filter({ hasText: directory }).waitFor()
      await page.getByRole("link", { name: mailer }).click()
      await page.getByRole("heading", { name: mailer, level: 1 }).waitFor()
      const lane = page.getByRole("table", { name: "Lanes" }).getByRole("row").filter({ hasText: "s-slow" })
      await lane.getByRole("cell", { name: "running" }).waitFor()
      await lane.getByRole("cell", { name: "2", exact: true }).waitFor()
      await lane.getByRole("button", { name: "Release the key s-slow" }).click()
      await page.getByRole("status").filter({ hasText: "This key is not parked" }).waitFor()
      failing.delete("s-slow")
      await page.context().close()
    })

    it("pauses a subscriber in all processes and resumes it, by the keyboard alone", async () => {
      const page = await stage.open(`subscribers/${directory}`)
      await page.getByRole("row").filter({ hasText: "Running" }).last().waitFor()
      const press = async (name: string): Promise<void> => {
        for (let presses = 0; presses < 40; presses++) {
          await page.keyboard.press("Tab")
          if ((await page.evaluate("document.activeElement?.textContent ?? ''")) === name)
            return page.keyboard.press("Enter")
        }
        throw new Error(`the keyboard does not reach ${name}`)
      }
      await page.getByLabel("Why it is paused").focus()
      await page.keyboard.type("the directory moves")
      await press("Pause in all processes…")
      const dialog = page.getByRole("dialog", { name: `Pause ${directory}?` })
      await dialog.getByText("1 process will stop").waitFor()
      await page.keyboard.press("Escape")
      await page.getByRole("status").filter({ hasText: "Nothing was changed" }).waitFor()
      assert.strictEqual(await page.evaluate("document.activeElement?.textContent"), "Pause in all processes…")
      await page.keyboard.press("Enter")
      await dialog.waitFor()
      await press("Pause")
      await page
        .getByRole("status")
        .filter({ hasText: `${directory} is paused.` })
        .waitFor()
      await page.getByText("by Zoë, on call: the directory moves").waitFor()
      await press("Resume…")
      await page.getByRole("dialog").getByText("Paused by Zoë, on call: the directory moves").waitFor()
      await press("Resume")
      await page
        .getByRole("status")
        .filter({ hasText: `${directory} runs again.` })
        .waitFor()
      await page.context().close()
    })

    it("asks the active process to release all parked keys", async () => {
      const page = await stage.open(`subscribers/${mailer}`)
      await page.getByRole("button", { name: "Release all parked keys…" }).click()
      const dialog = page.getByRole("dialog", { name: `Release all parked keys of ${mailer}?` })
      await dialog.getByText("0 parked events").waitFor()
      await dialog.getByRole("button", { name: "Release" }).click()
      await page.getByRole("status").filter({ hasText: "Its active process was asked" }).waitFor()
      await page.context().close()
    })

    it("finds last known events by key, and their history, without what is sensitive", async () => {
      await post("first", "s-last", 80)
      await post("second", "s-last", 95)
      const page = await stage.open("last-known")
      await page.getByLabel("Event", { exact: true }).fill("academic.grade.posted")
      await page.getByLabel("Keys").fill("s-last, nobody")
      await page.getByRole("button", { name: "Last known" }).click()
      const found = page.getByRole("region", { name: "Found" })
      const data = found.getByRole("region", { name: "Data of second" })
      await data.waitFor()
      assert.include(await data.textContent(), '"grade": 95')
      assert.include(await data.textContent(), '"mail": "<redacted>"')
      await found.getByText("Nothing is remembered of nobody.").waitFor()
      await page.getByRole("button", { name: "History" }).click()
      await found.getByRole("region", { name: "Data of first" }).waitFor()
      assert.strictEqual(await found.getByRole("article").count(), 2)
      await page.context().close()
    })

    it("compares the topology, and lets the doctor look", async () => {
      const address = await stage.serve({ subscribers: [{ name: "social.feed", events: [GradePosted] }] })
      const page = await stage.open("topology", { address })
      const found = page.getByRole("region", { name: "Topology" })
      const differences = found.getByRole("table", { name: "Differences" })
      await differences.getByRole("row").filter({ hasText: "social.feed" }).first().waitFor()
      await page.goto(`${stage.address}/#/topology`)
      await found.getByText("RabbitMQ is as the known subscribers say.").waitFor()
      await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: "Doctor" }).click()
      const doctor = page.getByRole("region", { name: "Doctor" })
      await doctor.getByRole("heading", { name: "Seen, and well" }).waitFor()
      assert.strictEqual(await page.getByRole("link", { name: "Doctor" }).getAttribute("aria-current"), "page")
      await page.getByRole("button", { name: "Look again" }).click()
      await doctor.getByRole("heading", { name: "Seen, and well" }).waitFor()
      await page.context().close()
    })
  })
})
