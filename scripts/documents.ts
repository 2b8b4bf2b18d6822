/**
 * Writes the documents of EduFlow's events to `docs/events`, as `eventbus contracts` prints them for the contracts of
 * the demo: AsyncAPI, the catalogue as Markdown and HTML, and TypeScript declarations. A test fails while they differ.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import * as Demo from "../src/app/demo/contracts.ts"
import { specsIn } from "../src/operations/Specs.ts"
import * as AsyncApi from "../src/contracts/documents/AsyncApi.ts"
import * as Html from "../src/contracts/documents/Html.ts"
import * as Markdown from "../src/contracts/documents/Markdown.ts"
import * as Types from "../src/contracts/documents/Types.ts"

/** Texts by file name. */
export const documents = (): Readonly<Record<string, string>> => {
  const publishers = Object.entries(Demo.publishes).map(([service, group]) => ({
    service,
    events: group.events.map(({ name }) => name)
  }))
  const described: AsyncApi.Described = {
    title: "EduFlow",
    version: "1.0.0",
    namespace: "eduflow",
    events: Demo.contracts,
    subscribers: specsIn(Demo.subscribers).map(({ name, patterns }) => ({ name, events: patterns })),
    publishes: publishers.flatMap(({ events }) => events),
    publishers
  }
  return {
    "asyncapi.json": `${AsyncApi.print(described)}\n`,
    "catalogue.md": Markdown.page(described),
    "catalogue.html": Html.page(described),
    "events.d.ts": Types.file(described)
  }
}

if (import.meta.main) {
  const folder = resolve(import.meta.dirname, "../docs/events")
  mkdirSync(folder, { recursive: true })
  for (const [file, text] of Object.entries(documents())) writeFileSync(join(folder, file), text)
}
