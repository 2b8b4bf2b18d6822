/** Which files of the repository are pages, in which order, and where each of them is in the site. */
import { existsSync, globSync, readFileSync, statSync } from "node:fs"
import { dirname, join, posix, resolve } from "node:path"

export const root = resolve(import.meta.dirname, "../..")
export const read = (path: string): string => readFileSync(join(root, path), "utf8")

const manifest: { readonly version: string; readonly homepage: string } = JSON.parse(read("package.json"))
export const version = manifest.version
/** Where the files are that are no pages. */
export const repository = manifest.homepage.replace(/#.*$/, "")

const guide = (name: string): string => `docs/guides/${name}.md`

/** Every guide is listed: a build fails when one is not. */
const written: ReadonlyArray<readonly [group: string, paths: ReadonlyArray<string>]> = [
  ["Start", ["README.md", guide("quick-start"), guide("comparison"), "examples/README.md"]],
  [
    "Write",
    ["define", "publish", "subscribe", "retry-and-dead-letters", "order-and-batches", "requests", "recurring", "outbox"]
      .concat(["last-known-events", "flow", "around", "other-systems", "testing", "contracts"])
      .map(guide)
  ],
  ["Without Effect", ["without-effect", "nestjs", "migrate"].map(guide)],
  [
    "Run",
    [
      ...["settings", "failures", "limits", "sizing", "kubernetes", "health-and-telemetry", "operate"].map(guide),
      "docs/runbook.md",
      ...["change-a-running-system", "on-rabbitmq", "upgrade-rabbitmq", "costs"].map(guide)
    ]
  ]
]

const behind: ReadonlyArray<readonly [group: string, paths: ReadonlyArray<string>]> = [
  ["Events", ["docs/events/catalogue.md"]],
  [
    "Inside",
    ["docs/architecture.md", "docs/glossary.md", "docs/adr/README.md", "CONTRIBUTING.md", "CHANGELOG.md"].concat([
      "bench/README.md",
      "bench/RESULTS.md",
      "bench/COSTS.md",
      "bench/GROWTH.md",
      "bench/SOAK.md"
    ])
  ]
]

const decisions = globSync("docs/adr/[0-9]*.md", { cwd: root }).toSorted()
const programs = globSync("examples/{*,outbox/*,operate/*,nestjs/*}.ts", { cwd: root }).toSorted()

export interface Source {
  readonly path: string
  /** Undefined for a page that the navigation does not list. */
  readonly group: string | undefined
  readonly markdown: string
}

/** A page in the site, from the root. */
export const pathInSite = (path: string): string =>
  path === "docs/events/catalogue.md"
    ? "docs/events/index.html"
    : path.replace(/(?:^|(?<=\/))README\.md$/, "index.html").replace(/\.(?:md|ts)$/, ".html")

const fromFile =
  (group: string | undefined) =>
  (path: string): Source => ({ path, group, markdown: read(path) })

const ofProgram = (path: string): Source => ({
  path,
  group: undefined,
  markdown: `# ${path}\n\n\`\`\`ts\n${read(path)}\`\`\`\n\n[All examples](${posix.relative(dirname(path), "examples/README.md")})\n`
})

/** The page of the examples ends with a list of all of them, since it shows some together. */
const withPrograms = (source: Source): Source =>
  source.path === "examples/README.md"
    ? {
        ...source,
        markdown: `${source.markdown}\n## All programs\n\n${programs
          .map((path) => path.slice("examples/".length))
          .map((path) => `- [${path}](${path})\n`)
          .join("")}`
      }
    : source

/** All pages; those of the API come from elsewhere. */
export const sources = (api: ReadonlyArray<Source>): ReadonlyArray<Source> => {
  const listed = new Set(written.flatMap(([, paths]) => paths))
  const forgotten = globSync("docs/guides/*.md", { cwd: root }).filter((path) => !listed.has(path))
  if (forgotten.length > 0) throw new Error(`scripts/site/sources.ts lists no place for ${forgotten.join(", ")}`)
  return [
    ...written.flatMap(([group, paths]) => paths.map(fromFile(group)).map(withPrograms)),
    ...api,
    ...behind.flatMap(([group, paths]) => paths.map(fromFile(group))),
    ...decisions.map(fromFile(undefined)),
    ...programs.map(ofProgram)
  ]
}

/** Where a link of a page leads: another page, a file that the site has too, or a file of the repository. */
export const target = (
  from: string,
  link: string,
  pages: ReadonlySet<string>
): { readonly href: string; readonly file?: string } => {
  const [path = "", anchor] = link.split("#")
  const hash = anchor === undefined ? "" : `#${anchor}`
  if (path === "") return { href: hash }
  const file = posix.join(dirname(from), path).replace(/\/$/, "")
  const relative = (to: string): string => posix.relative(dirname(pathInSite(from)), to)
  if (pages.has(file)) return { href: `${relative(pathInSite(file))}${hash}` }
  if (pages.has(`${file}/README.md`)) return { href: `${relative(pathInSite(`${file}/README.md`))}${hash}` }
  if (!existsSync(join(root, file))) throw new Error(`${from} links to ${link}, which does not exist`)
  const isShown = /^(?:docs|bench)\/.*\.(?:svg|png|jpg|html|json|d\.ts)$/.test(file)
  if (isShown) return { href: `${relative(file)}${hash}`, file }
  const kind = statSync(join(root, file)).isDirectory() ? "tree" : "blob"
  return { href: `${repository}/${kind}/main/${file}${hash}` }
}
