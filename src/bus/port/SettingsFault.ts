/** Wrong options of a call that fails with a `BrokerError`. */
import { faultOf, type Kinds, kindOnly } from "../../event/options/OptionKinds.ts"
import { BrokerError } from "./BrokerError.ts"
import { SettingsInvalid } from "./BrokerReason.ts"

/**
 * The error of the first wrong option, or undefined. It quotes no text: under a right name or a misspelled one, it may be a
 * password.
 */
export const of = (options: unknown, kinds: Kinds): BrokerError | undefined => {
  const fault = faultOf(options, kinds, kindOnly)
  if (fault === undefined) return undefined
  const { option: setting, problem, remedy } = fault
  return new BrokerError({ reason: new SettingsInvalid({ setting, problem, remedy }) })
}
