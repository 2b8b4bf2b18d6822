#!/usr/bin/env bash
# effect 4.1.0, seen 2026-11-29 on Node 24.
#
# A schema that one installed copy of effect made is encoded by the parser of a second copy of the same version.
# One would expect the same result, or an error. Encoding succeeds, and the value comes back as it went in: a Date
# stays a Date, as the transformation of the schema does not run. Decoding with the second copy throws
# "Result adapter can only return schema issues" although the input is valid.
#
# Seen:
#   own copy     encode: string   decode: Date
#   second copy  encode: Date     decode: threw "Result adapter can only return schema issues"
#
# Prints what happens and fails when that is no longer so. Needs Node 22.19 or later, and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for copy in one two; do
  mkdir "$copy"
  (cd "$copy" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund effect@4.1.0 >/dev/null)
done
cat >run.mjs <<'JS'
import * as Schema from "./one/node_modules/effect/dist/Schema.js"
import * as own from "./one/node_modules/effect/dist/SchemaParser.js"
import * as second from "./two/node_modules/effect/dist/SchemaParser.js"

const Posted = Schema.Struct({ at: Schema.DateFromString })
const kind = (run, input) => {
  try {
    const result = run(Posted)(input)
    const at = result._tag === "Success" ? result.success.at : undefined
    return at === undefined ? result._tag : at instanceof Date ? "Date" : typeof at
  } catch (error) {
    return `threw "${error.message}"`
  }
}
const seen = Object.entries({ "own copy": own, "second copy": second }).map(
  ([name, parser]) =>
    `${name.padEnd(12)} encode: ${kind(parser.encodeUnknownResult, { at: new Date(0) }).padEnd(8)} ` +
    `decode: ${kind(parser.decodeUnknownResult, { at: "2026-11-29T00:00:00.000Z" })}`
)
console.log(seen.join("\n"))
const expected = [
  "own copy     encode: string   decode: Date",
  'second copy  encode: Date     decode: threw "Result adapter can only return schema issues"'
]
process.exitCode = seen.join() === expected.join() ? 0 : 1
JS
node run.mjs
