/**
 * examples/shared-contracts as a team has it: a package of contracts and two services in a repository of their own, with the
 * packed library. Its services meet on a real RabbitMQ, and its CI is what the workflow runs.
 */
import { assert, it } from "@effect/vitest"
import { execFileSync, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { parse } from "yaml"
import { root } from "../house/Sources.ts"
import { describeLive, freshNamespace, rabbitUrl } from "../support/live.ts"
import { env, install, pack } from "./Pack.ts"

interface Step {
  readonly run?: string
  readonly "working-directory"?: string
}

describeLive(
  "contracts that services share",
  () => {
    let [folder, team] = ["", ""]
    const at = (file: string) => join(team, file)
    const git = (...args: ReadonlyArray<string>) =>
      execFileSync("git", ["-c", "user.name=test", "-c", "user.email=test@localhost", ...args], {
        cwd: team,
        encoding: "utf8",
        stdio: "pipe"
      })

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "shared-contracts-"))
      team = join(folder, "team")
      cpSync(join(root, "examples/shared-contracts"), team, { recursive: true })
      const manifest: object = JSON.parse(readFileSync(at("package.json"), "utf8"))
      writeFileSync(at("package.json"), JSON.stringify({ ...manifest, dependencies: pack(folder) }))
      writeFileSync(at(".gitignore"), "node_modules\n")
      install(team)
      git("init", "--quiet", "--initial-branch=main")
      git("add", ".")
      git("commit", "--quiet", "-m", "contracts")
      // The branch that pull requests go to.
      git("remote", "add", "origin", team)
    })
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    /** What CI runs, as the workflow has it; the last command decides. */
    const ci = () => {
      const workflow = parse(readFileSync(at(".github/workflows/contracts.yml"), "utf8"))
      const steps: ReadonlyArray<Step> = workflow.jobs.contracts.steps
      const lines = steps.flatMap((step) => (step.run === undefined ? [] : [{ ...step, run: step.run }]))
      assert.lengthOf(lines, 3)
      for (const { run, "working-directory": within = "." } of lines) {
        // What it needs is installed.
        if (run === "npm ci") continue
        const line = run.replace("${{ github.base_ref }}", "main")
        const { status, stderr, stdout } = spawnSync(line, { cwd: at(within), shell: true, encoding: "utf8", env })
        if (status !== 0 || line.startsWith("npx")) return { code: status, out: stdout, err: stderr }
      }
      return assert.fail("the workflow checks nothing")
    }

    const change = (from: string, to: string) => {
      const text = readFileSync(at("contracts/certificates.ts"), "utf8")
      assert.include(text, from)
      writeFileSync(at("contracts/certificates.ts"), text.replace(from, to))
    }
    const undo = () => git("checkout", "--quiet", "--", ".")
    const eventbus = (...args: ReadonlyArray<string>) =>
      execFileSync("npx", ["eventbus", "contracts", ...args], { cwd: at("contracts"), encoding: "utf8", env })

    it("compiles, and has the snapshot of its contracts", () => {
      const tsc = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", team], { encoding: "utf8" })
      assert.strictEqual(`${tsc.stdout}${tsc.stderr}${tsc.status}`, "0")
      assert.deepStrictEqual(ci(), {
        code: 0,
        out: "nothing breaks what contracts.snapshot.json of FETCH_HEAD promises\n",
        err: ""
      })
    })

    it("has services that understand each other", async () => {
      const settings = { ...env, EVENTBUS_URL: rabbitUrl(), EVENTBUS_NAMESPACE: freshNamespace() }
      const mailer = spawn(process.execPath, ["notification/main.ts"], { cwd: team, env: settings })
      const ended = once(mailer, "exit")
      let out = ""
      const mailed = new Promise<void>((found, lost) => {
        mailer.stdout.on("data", (data: Buffer) => {
          out += data.toString()
          if (out.includes("mail to student-1: academic.certificate.issued in course-1")) found()
        })
        void ended.then(() => lost(new Error(`it ended: ${out}`)))
      })
      // As long as the subscriber is starting, the event reaches nobody.
      const publish = () => spawnSync(process.execPath, ["academic/main.ts"], { cwd: team, env: settings }).status
      let tries = 1
      while (publish() !== 0) assert.isBelow(tries++, 30, out)
      await mailed
      mailer.kill("SIGTERM")
      assert.deepStrictEqual(await ended, [0, null])
    })

    it("fails CI on a change that breaks somebody, with the sentence that one needs", () => {
      change("score: Percent", "score: Schema.String")
      eventbus("snapshot")
      const { code, out } = ci()
      assert.strictEqual(code, 4)
      assert.strictEqual(
        out,
        [
          "breaks   academic.certificate.issued version 1 data.score: type-changed",
          "         data.score was number and is string",
          "         affects subscribers with the contract of before; subscribers with the new contract, by what was published before; publishers (notification.mailer)",
          "         > Give academic.certificate.issued the version 2, and put version 1 with an upcaster into `previous`",
          "1 changes break what contracts.snapshot.json of FETCH_HEAD promises",
          ""
        ].join("\n")
      )
      undo()
    })

    it("passes CI on the way out that the sentence names, and asks for the snapshot", () => {
      change(
        `version: 1,
  data: Schema.Struct({
    studentId: UserId,
    courseId: CourseId,
    score: Percent,
    issuedAt: Moment
  })`,
        `version: 2,
  data: Schema.Struct({
    studentId: UserId,
    courseId: CourseId,
    score: Schema.String,
    issuedAt: Moment
  })`
      )
      change(
        "key: (certificate)",
        `previous: [{
    version: 1,
    data: Schema.Struct({ studentId: UserId, courseId: CourseId, score: Percent, issuedAt: Moment }),
    up: ({ score, ...old }) => ({ ...old, score: String(score) })
  }],
  key: (certificate)`
      )
      const forgotten = ci()
      assert.strictEqual(forgotten.code, 4)
      assert.include(
        forgotten.out,
        "contracts.snapshot.json is not that of these contracts: eventbus contracts snapshot writes it"
      )
      eventbus("snapshot")
      const { code, out } = ci()
      assert.strictEqual(code, 0, out)
      assert.include(out, "Deploy subscribers before publishers")
      undo()
    })

    it("writes documents that name both sides", () => {
      const asyncApi = JSON.parse(eventbus("asyncapi"))
      assert.deepStrictEqual(Object.keys(asyncApi.operations), [
        "publish.academic.certificate.issued",
        "publish.academic.grade.posted",
        "handle.notification.mailer"
      ])
      assert.deepStrictEqual(asyncApi.info, {
        title: "@eduflow/contracts",
        version: "1.0.0",
        description: "Events of @eduflow/contracts, as CloudEvents 1.0 over RabbitMQ."
      })
      const page = eventbus("markdown")
      assert.include(
        page,
        "- Published by: academic, for roles registrar, service\n- Subscribers: notification.mailer\n"
      )
    })
  },
  ["rabbit"]
)
