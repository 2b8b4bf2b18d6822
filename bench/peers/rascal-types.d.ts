/** Types for the part of rascal that its adapter uses; the package has none. */
declare module "rascal" {
  interface Emitter {
    on(event: "success", listener: () => void): Emitter
    on(event: "error", listener: (error: Error) => void): Emitter
    on(event: "message", listener: (message: unknown, content: Buffer, ackOrNack: () => void) => void): Emitter
  }
  interface Broker {
    publish(name: string, body: Buffer, overrides: object): Promise<Emitter>
    subscribe(name: string): Promise<Emitter>
    shutdown(): Promise<void>
    on(event: "error", listener: (error: Error) => void): void
  }
  const rascal: {
    readonly BrokerAsPromised: { create(config: object): Promise<Broker> }
    withDefaultConfig(config: object): object
  }
  export default rascal
}
