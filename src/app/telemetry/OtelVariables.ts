/**
 * Values of environment variables as OpenTelemetry's common rules read them
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). A value that cannot be
 * understood is recorded as a fault, and the default is used.
 */
export class OtelVariables {
  /** What could not be understood, for the log. */
  readonly faults = new Set<string>()
  private readonly values: ReadonlyMap<string, string>

  constructor(values: ReadonlyMap<string, string>) {
    this.values = values
  }

  has(name: string): boolean {
    return this.values.has(name)
  }

  get(name: string): string | undefined {
    return this.values.get(name)
  }

  isTrue(name: string): boolean {
    return this.get(name)?.toLowerCase() === "true"
  }

  /** Records a fault without quoting the value, which may be a secret. */
  fault(name: string, expected: string): void {
    this.faults.add(`${name} is not understood: expected ${expected}`)
  }

  oneOf<const A extends string>(name: string, allowed: ReadonlyArray<A>, fallback: A): A {
    const value = this.get(name)?.toLowerCase()
    const found = allowed.find((candidate) => candidate === value)
    if (value !== undefined && found === undefined) this.faultWithValue(name, value, allowed.join(" or "))
    return found ?? fallback
  }

  /** A whole number from 1 up that fits a timer. */
  positiveInteger(name: string, fallback: number): number {
    const value = this.get(name)
    const number = value === undefined ? fallback : Number(value)
    if (Number.isSafeInteger(number) && number >= 1 && number <= 2 ** 31 - 1) return number
    this.faultWithValue(name, value ?? "", "a whole number from 1 up")
    return fallback
  }

  /** A list of the form `name=value,name=value`, percent-encoded. */
  pairs(name: string): Record<string, string> {
    // Without a prototype: the names come from outside.
    const found: Record<string, string> = Object.create(null)
    for (const part of (this.get(name) ?? "").split(",")) {
      const equals = part.indexOf("=")
      if (equals <= 0) {
        if (part.trim() !== "") this.fault(name, "name=value, name=value")
        continue
      }
      try {
        found[part.slice(0, equals).trim()] = decodeURIComponent(part.slice(equals + 1).trim())
      } catch {
        this.fault(name, "values encoded as in a URL")
      }
    }
    return found
  }

  private faultWithValue(name: string, value: string, expected: string): void {
    this.fault(name, `${expected}, not ${JSON.stringify(value.slice(0, 50))}`)
  }
}
