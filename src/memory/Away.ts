/** That the embedded broker is not reachable, in the words of a network: there is one only in tests. */
import { BrokerError, ConnectionFailed } from "../bus/BrokerError.ts"

export const away = (detail: string): BrokerError =>
  new BrokerError({ reason: new ConnectionFailed({ address: "the embedded broker", detail }) })
