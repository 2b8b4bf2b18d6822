/** A service that only publishes. */
export { Posted } from "./grantsContracts.ts"
