/** Prints what the official parser says of the AsyncAPI document on standard input, as JSON. */
import { Parser } from "@asyncapi/parser"
import { text } from "node:stream/consumers"

const { diagnostics, document } = await new Parser().parse(await text(process.stdin))
const result = {
  diagnostics: diagnostics.map(({ message, path }) => `${path.join(".")}: ${message}`),
  version: document?.version(),
  operations: document?.operations().length,
  messages: document?.allMessages().length
}
process.stdout.write(JSON.stringify(result))
