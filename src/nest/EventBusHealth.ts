/**
 * The health of the bus for `@nestjs/terminus`. Its results have the form that terminus reads, so nothing of terminus is
 * loaded.
 */
import type { Health } from "../observe/Health.ts"
import type { EventBus } from "./EventBus.ts"

/** The result of an indicator, by its key. */
export type EventBusHealthResult = Readonly<
  Record<string, { readonly status: "up" | "down" } & Readonly<Record<string, string>>>
>

/**
 * Injectable where the module is. For a bus with a name: `new EventBusHealth(bus)`.
 *
 * @example
 * ```ts
 * import { EventBusHealth } from "@eduflow/events/nest"
 * import type { HealthCheckService } from "@nestjs/terminus"
 *
 * // In a controller, with @Get() and @HealthCheck().
 * export const ready = (health: HealthCheckService, events: EventBusHealth) =>
 *   health.check([() => events.ready(), () => events.check("events")])
 * ```
 */
export class EventBusHealth {
  private readonly bus: EventBus

  constructor(bus: EventBus) {
    this.bus = bus
  }

  /**
   * Runs every probe, each within a second. It is down when a critical probe is, such as the connection; a probe that is
   * degraded leaves it up, and its detail says so.
   */
  async check(key = "events"): Promise<EventBusHealthResult> {
    return this.indicate(key, ({ checks, status }) => ({
      ...Object.fromEntries(checks.filter((check) => check.status !== "up").map(({ detail, name }) => [name, detail])),
      status: status === "down" ? "down" : "up",
      health: status
    }))
  }

  /** Whether work may be sent here: what is critical has been fine for a while. For a readiness probe. */
  async ready(key = "events-ready"): Promise<EventBusHealthResult> {
    return this.indicate(key, ({ ready }) => ({ status: ready.is ? "up" : "down", detail: ready.detail }))
  }

  private async indicate(
    key: string,
    read: (report: Health.Report) => EventBusHealthResult[string]
  ): Promise<EventBusHealthResult> {
    try {
      return { [key]: read(await this.bus.health()) }
    } catch (error) {
      // The bus could not connect, or the app has ended.
      return { [key]: { status: "down", detail: error instanceof Error ? error.message : String(error) } }
    }
  }
}
