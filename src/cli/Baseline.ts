/** The snapshot of contracts that is committed: in its file, or as it was in a revision of git. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { execFile } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, resolve } from "node:path"
import * as Snapshot from "../contracts/Snapshot.ts"
import { FileFailed, UsageError } from "./UsageError.ts"

/** Undefined where there is no such file. */
export const readIf = (file: string): Effect.Effect<Snapshot.Snapshot | undefined, UsageError> =>
  Effect.suspend(() => {
    let text: string
    try {
      text = readFileSync(file, "utf8")
    } catch {
      return Effect.succeed(undefined)
    }
    return parse(file, text)
  })

export const read = (file: string): Effect.Effect<Snapshot.Snapshot, UsageError> =>
  Effect.flatMap(readIf(file), (found) =>
    found === undefined
      ? Effect.fail(
          new UsageError({ problem: `there is no ${file}: write it by \`eventbus contracts snapshot\` and commit it` })
        )
      : Effect.succeed(found)
  )

/** The file as it was in a revision: a branch, a tag, a commit. */
export const readRevision = (file: string, revision: string): Effect.Effect<Snapshot.Snapshot, UsageError> =>
  Effect.callback<string, UsageError>((resume) => {
    const refuse = (problem: string) => resume(Effect.fail(new UsageError({ problem })))
    // It would be an option of git.
    if (revision.startsWith("-")) return refuse(`--against: ${revision} is no revision`)
    const path = resolve(file)
    const options = { cwd: dirname(path), maxBuffer: 64 * 1024 * 1024 }
    execFile("git", ["show", `${revision}:./${basename(path)}`], options, (error, stdout, stderr) => {
      if (error === null) return resume(Effect.succeed(stdout))
      const said = stderr.trim().split("\n").at(-1) ?? ""
      refuse(`${file} cannot be read from the revision ${revision}: ${said === "" ? error.message : said}`)
    })
  }).pipe(Effect.flatMap((text) => parse(`${file} of ${revision}`, text)))

const parse = (name: string, text: string): Effect.Effect<Snapshot.Snapshot, UsageError> => {
  const parsed = Snapshot.parse(text)
  return Result.isSuccess(parsed)
    ? Effect.succeed(parsed.success)
    : Effect.fail(new UsageError({ problem: `${name} is no snapshot of contracts` }))
}

/** Whatever a formatter made of the file. */
export const isSame = (a: Snapshot.Snapshot, b: Snapshot.Snapshot): boolean => plain(a) === plain(b)

const plain = (snapshot: Snapshot.Snapshot): string =>
  JSON.stringify(Result.getOrElse(Snapshot.parse(Snapshot.print(snapshot)), () => snapshot))

export const write = (file: string, snapshot: Snapshot.Snapshot): Effect.Effect<void, FileFailed> =>
  Effect.try({
    try: () => writeFileSync(file, Snapshot.print(snapshot)),
    catch: () => new FileFailed({ path: file })
  })
