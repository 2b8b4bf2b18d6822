/** Collects what an examination sees. */
import type { Examined, Finding, Severity } from "../port/Examination.ts"

export class Notes implements Examined {
  readonly facts: Array<string> = []
  readonly findings: Array<Finding> = []
  readonly unseen: Array<string> = []

  fact(text: string): void {
    this.facts.push(text)
  }

  error(check: string, seen: string, mend: string): void {
    this.add("error", check, seen, mend)
  }

  warning(check: string, seen: string, mend: string): void {
    this.add("warning", check, seen, mend)
  }

  add(severity: Severity, check: string, seen: string, mend: string): void {
    this.findings.push({ check, severity, seen, mend })
  }

  hidden(text: string): void {
    this.unseen.push(text)
  }
}

export const merge = (parts: ReadonlyArray<Examined>): Examined => ({
  facts: parts.flatMap(({ facts }) => facts),
  findings: withoutRepeats(parts.flatMap(({ findings }) => findings)),
  unseen: parts.flatMap(({ unseen }) => unseen)
})

/** Two looks may find the same, with counts of another moment: what is mended by one command is one finding. */
const withoutRepeats = (findings: ReadonlyArray<Finding>): ReadonlyArray<Finding> => {
  const keyOf = ({ check, mend }: Finding): string => JSON.stringify([check, mend])
  const seen = new Set<string>()
  return findings.filter((finding) => {
    const key = keyOf(finding)
    return !seen.has(key) && seen.add(key)
  })
}

/** A word of a shell command, so that a command can be copied as it is. */
export const quote = (word: string): string =>
  /^[\w./:@=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

/** The first few of many names. */
export const few = (names: ReadonlyArray<string>, most = 5): string =>
  names.length <= most ? names.join(", ") : `${names.slice(0, most).join(", ")} and ${names.length - most} more`
