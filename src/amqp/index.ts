/** What app/ takes of this folder. */
export * as AmqpBroker from "./AmqpBroker.ts"
