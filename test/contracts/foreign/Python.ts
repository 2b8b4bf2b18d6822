/** A validator of JSON Schema in another language: Python with `jsonschema`, which Debian has as a package. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { canInstall, install } from "../../support/install.ts"

const execute = promisify(execFile)
/** Debian's modules belong to Debian's Python, which need not be the first on the path. */
const interpreters = ["/usr/bin/python3", "python3"]

const find = async (): Promise<string | undefined> => {
  for (const python of interpreters) {
    const hasModule = await execute(python, ["-c", "import jsonschema"]).then(
      () => true,
      () => false
    )
    if (hasModule) return python
  }
  return undefined
}

/** A Python that has the module; installs it where that is possible. */
export const pythonWithJsonSchema = async (): Promise<string> => {
  const found = await find()
  if (found !== undefined) return found
  if (!canInstall()) throw new Error("no Python has the module jsonschema: pip install jsonschema")
  await install(["python3", "python3-jsonschema"])
  const installed = await find()
  if (installed === undefined) throw new Error("Debian's python3-jsonschema was installed and cannot be imported")
  return installed
}
