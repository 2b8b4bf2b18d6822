/**
 * Installs the packed library into an empty project with the lowest and with the newest version of effect that its
 * peer range allows, compiles a service there with the strictest settings and runs it on the embedded bus. With
 * EVENTBUS_URL the service runs on that broker instead. Prints how much each project installs.
 *
 * It needs the npm registry, so it is not a part of `npm test`: `npm run test:effect-versions`.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const manifest: { readonly peerDependencies: { readonly effect: string } } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8")
)

const npm = (cwd: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

type Version = readonly [major: number, minor: number, patch: number]

const parse = (text: string): Version | undefined => {
  const found = /^(\d+)\.(\d+)\.(\d+)$/.exec(text)
  return found === null ? undefined : [Number(found[1]), Number(found[2]), Number(found[3])]
}
const order = (a: Version, b: Version): number => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]

/** The released versions within a range like `^4.1.0`, the lowest first. */
export const within = (range: string, versions: ReadonlyArray<string>): ReadonlyArray<string> => {
  const lowest = range.startsWith("^") ? parse(range.slice(1)) : undefined
  if (lowest === undefined) throw new Error(`the peer range ${range} is not of the form ^1.2.3`)
  return versions
    .flatMap((text) => {
      const version = parse(text)
      return version !== undefined && version[0] === lowest[0] && order(version, lowest) >= 0 ? [version] : []
    })
    .toSorted(order)
    .map((version) => version.join("."))
}

const program = `
import { Event, EventBus, EventBusLive, Subscriber } from "@eduflow/events"
import { Deferred, Effect, Layer, Schedule, Schema } from "effect"

const GradePosted = Event.make("academic.grade.posted", {
  version: 1,
  data: Schema.Struct({ studentId: Schema.String, grade: Schema.Finite, at: Schema.DateFromString }),
  key: (grade) => grade.studentId
})
const program = Effect.gen(function* () {
  const mailed = yield* Deferred.make<number>()
  const GradeMailer = Subscriber.layer("notification.grade-mailer", {
    events: [GradePosted],
    handler: (event, { attempt }) =>
      attempt === 1 ? Effect.fail("try again") : Deferred.succeed(mailed, event.data.at.getTime() + event.data.grade),
    retry: Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 6 })),
    ordering: "key"
  })
  yield* Layer.build(GradeMailer)
  const bus = yield* EventBus
  yield* bus.publish(GradePosted, { studentId: "s-1", grade: 5, at: new Date(1000) })
  console.log("handled", yield* Deferred.await(mailed))
})
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(EventBusLive), Effect.timeout("20 seconds")))
`

const settings = {
  compilerOptions: {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    target: "ES2023",
    lib: ["ES2023", "ESNext.Disposable"],
    module: "nodenext",
    skipLibCheck: true,
    types: ["node"],
    outDir: "out"
  },
  files: ["service.ts"]
}

const sizeOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
const megabytes = (folder: string): string => (sizeOf(folder) / 1e6).toFixed(1)

const check = (archive: string, version: string): void => {
  const project = mkdtempSync(join(tmpdir(), "effect-version-"))
  try {
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "service", private: true, type: "module" }))
    npm(project, "install", "--no-audit", "--no-fund", "--no-progress", "--save-exact", archive, `effect@${version}`)
    const installed = join(project, "node_modules")
    const size = `${megabytes(installed)} MB installed, ${megabytes(join(installed, "effect"))} MB of it effect`
    npm(project, "install", "--no-audit", "--no-fund", "--no-progress", "--save-dev", "@types/node@24")
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify(settings))
    writeFileSync(join(project, "service.ts"), program)
    const run = (...args: ReadonlyArray<string>): string =>
      execFileSync(process.execPath, args, {
        cwd: project,
        encoding: "utf8",
        env: { EVENTBUS_URL: "memory://", ...process.env }
      })
    run(join(root, "node_modules/typescript/bin/tsc"), "--project", "tsconfig.json")
    const said = run("out/service.js")
    if (!said.includes("handled 1005")) throw new Error(`with effect ${version} the service said: ${said}`)
    console.log(`effect ${version}: compiled, handled; ${size}`)
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const versions: ReadonlyArray<string> = JSON.parse(npm(root, "view", "effect", "versions", "--json"))
  const allowed = within(manifest.peerDependencies.effect, versions)
  const folder = mkdtempSync(join(tmpdir(), "eventbus-pack-"))
  try {
    npm(root, "pack", "--silent", "--pack-destination", folder)
    const [archive = ""] = readdirSync(folder)
    for (const version of new Set([allowed[0], allowed.at(-1)])) {
      if (version === undefined)
        throw new Error(`no released version of effect is within ${manifest.peerDependencies.effect}`)
      check(join(folder, archive), version)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
