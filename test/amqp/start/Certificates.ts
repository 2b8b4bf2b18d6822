/** Certificates for one test run, made by openssl in a temporary folder: an authority, a server for "localhost", a client, and a server that signed itself. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Pair {
  readonly cert: string
  readonly key: string
}
export interface Certificates {
  readonly dir: string
  readonly ca: string
  readonly server: Pair
  /** Common name `guest`. */
  readonly client: Pair
  readonly selfSigned: Pair
  readonly remove: () => void
}

export const makeCertificates = (): Certificates => {
  const dir = mkdtempSync(join(tmpdir(), "eventbus-certificates-"))
  const openssl = (...args: ReadonlyArray<string>): void =>
    void execFileSync("openssl", args, { cwd: dir, stdio: "pipe" })
  const names = "subjectAltName=DNS:localhost"
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
  const signedBySelf = (name: string, subject: string, ...more: ReadonlyArray<string>): void =>
    openssl(
      "req",
      "-x509",
      ...key,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.crt`,
      "-days",
      "2",
      "-subj",
      subject,
      ...more
    )
  signedBySelf("ca", "/CN=authority", "-addext", "basicConstraints=critical,CA:TRUE")
  signedBySelf("self", "/CN=localhost", "-addext", names)
  writeFileSync(join(dir, "server.ext"), `${names}\nextendedKeyUsage=serverAuth\n`)
  writeFileSync(join(dir, "client.ext"), "extendedKeyUsage=clientAuth\n")
  for (const [name, subject] of [
    ["server", "/CN=localhost"],
    ["client", "/CN=guest"]
  ] as const) {
    openssl("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", subject)
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.crt",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-out",
      `${name}.crt`,
      "-days",
      "2",
      "-extfile",
      `${name}.ext`
    )
  }
  const read = (file: string): string => readFileSync(join(dir, file), "utf8")
  const pair = (name: string): Pair => ({ cert: read(`${name}.crt`), key: read(`${name}.key`) })
  return {
    dir,
    ca: read("ca.crt"),
    server: pair("server"),
    client: pair("client"),
    selfSigned: pair("self"),
    remove: () => rmSync(dir, { recursive: true, force: true })
  }
}
