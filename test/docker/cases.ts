/**
 * For each alert a failing system and a healthy one, as series in the notation of promtool (`0+1x30`: from 0 up by 1
 * in each of 30 minutes; `_` is a scrape without the series).
 */
import type { alerts } from "../../scripts/dashboards/Rules.ts"

export type Series = Readonly<Record<string, string>>

export interface Case {
  readonly wrong: Series
  readonly well: Series
  /** Minutes after which the alert fires. */
  readonly after: number
  /** A minute at which it must not fire yet. */
  readonly early?: number
}

const of = (name: string, labels: string): string => `${name}{job="grades",instance="a",${labels}}`
const subscriber = 'eventbus_subscriber="mailer"'
const its = (name: string, more = ""): string => of(`eventbus_subscriber_${name}`, `${subscriber}${more}`)
const outcome = (name: string): string => its("outcomes_total", `,eventbus_outcome="${name}"`)
const renewals = (outcome: string) =>
  of("eventbus_connection_credential_renewals_total", `eventbus_connection="publish",eventbus_outcome="${outcome}"`)
const publish = (name: string): string =>
  of("eventbus_publish_outcomes_total", `eventbus_event="grade.posted",eventbus_outcome="${name}"`)
const check = (name: string, state: string): string =>
  of("eventbus_health_state", `eventbus_check="${name}",eventbus_state="${state}"`)
const node = (name: string): string => `${name}{job="server",instance="b"}`
const exported = (name: string): string =>
  of("eventbus_telemetry_exports_total", `eventbus_signal="traces",eventbus_outcome="${name}"`)

export const cases: Readonly<Record<(typeof alerts)[number]["name"], Case>> = {
  EventBusSubscriberFailed: {
    wrong: {
      [its("state", ',eventbus_state="Failed"')]: "0 0 1x20",
      [its("state", ',eventbus_state="Running"')]: "1 1 0x20"
    },
    well: {
      [its("state", ',eventbus_state="Failed"')]: "0x20",
      [its("state", ',eventbus_state="Restarting"')]: "1x20"
    },
    after: 4,
    early: 2
  },
  EventBusSubscriberNoProgress: {
    wrong: { [its("idle_time_seconds")]: "0+60x20", [its("held")]: "3x20" },
    // One of two consumers waits while the other one works.
    well: {
      [its("idle_time_seconds")]: "0+60x20",
      [its("held")]: "0x20",
      [its("idle_time_seconds").replace('"a"', '"b"')]: "0x20",
      [its("held").replace('"a"', '"b"')]: "5x20"
    },
    after: 8,
    early: 6
  },
  EventBusSubscriberLag: {
    wrong: { [its("lag")]: "5000x30", [outcome("handled")]: "0+60x30" },
    // As many events, but fast.
    well: { [its("lag")]: "5000x30", [outcome("handled")]: "0+6000x30" },
    after: 12,
    early: 3
  },
  EventBusSubscriberUnconsumed: {
    wrong: { [its("lag")]: "5x20", [its("consumers")]: "0x20" },
    well: { [its("lag")]: "0x20", [its("consumers")]: "0x20" },
    after: 6,
    early: 4
  },
  EventBusSubscriberGone: {
    wrong: { [its("state", ',eventbus_state="Running"')]: "1x10 _x40" },
    // Another process runs it.
    well: {
      [its("state", ',eventbus_state="Running"')]: "1x10 _x40",
      [its("state", ',eventbus_state="Running"').replace('"a"', '"b"')]: "1x50"
    },
    after: 28,
    early: 18
  },
  EventBusSubscriberRestarting: {
    wrong: { [its("restarts_total")]: "0+1x20" },
    well: { [its("restarts_total")]: "0 0 1 1 1 2x20" },
    after: 10,
    early: 2
  },
  EventBusSubscriberFailing: {
    wrong: { [outcome("handled")]: "0+10x30", [outcome("retried")]: "0+30x30" },
    well: { [outcome("handled")]: "0+30x30", [outcome("retried")]: "0+10x30" },
    after: 10,
    early: 4
  },
  EventBusSubscriberReturning: {
    wrong: { [its("returns_total")]: "0+10x30", ...consumed("0+20x30") },
    well: { [its("returns_total")]: "0+10x30", ...consumed("0+1000x30") },
    after: 15
  },
  EventBusZombies: {
    wrong: { [its("zombies")]: "1x20" },
    // A handler that ended after all.
    well: { [its("zombies")]: "1 1 1 0x20" },
    after: 6,
    early: 4
  },
  EventBusParkingFull: {
    wrong: { [its("parked")]: "6000x20" },
    well: { [its("parked")]: "4000x20" },
    after: 6,
    early: 4
  },
  EventBusDeadLettersGrowing: {
    wrong: { [of("eventbus_dead_letters_added_total", `${subscriber},eventbus_reason="Rejected"`)]: "0 0 0 1x40" },
    // Old dead letters, and some are replayed.
    well: {
      [of("eventbus_dead_letters_added_total", `${subscriber},eventbus_reason="Rejected"`)]: "7x40",
      [of("eventbus_dead_letters_depth", subscriber)]: "7x20 5x20"
    },
    after: 5
  },
  EventBusDeadLettersWaiting: {
    wrong: { [of("eventbus_dead_letters_depth", subscriber)]: "1x1600" },
    well: { [of("eventbus_dead_letters_depth", subscriber)]: "1x1400 0x200" },
    after: 1470,
    early: 1410
  },
  EventBusUndeliverable: {
    wrong: { [of("eventbus_undeliverable_depth", 'x=""')]: "0 1x20" },
    well: { [of("eventbus_undeliverable_depth", 'x=""')]: "0x20" },
    after: 3
  },
  EventBusCheckDown: {
    wrong: { [check("topology", "down")]: "0 1x20" },
    well: { [check("topology", "down")]: "0x20", [check("cache", "degraded")]: "1x20" },
    after: 4,
    early: 2
  },
  EventBusDisconnected: {
    wrong: { [of("eventbus_connection_up", 'eventbus_connection="publish"')]: "1 0x20" },
    // It was down for a moment.
    well: { [of("eventbus_connection_up", 'eventbus_connection="publish"')]: "1 0 1x20" },
    after: 3
  },
  EventBusReconnecting: {
    wrong: { [of("eventbus_connection_reconnects_total", 'eventbus_connection="consume"')]: "0+1x20" },
    well: { [of("eventbus_connection_reconnects_total", 'eventbus_connection="consume"')]: "0 1x20" },
    after: 10
  },
  EventBusCredentialsFailing: {
    wrong: { [renewals("failed")]: "0+4x20" },
    // One was lost with its connection.
    well: { [renewals("failed")]: "0 1x20", [renewals("renewed")]: "0+4x20" },
    after: 5
  },
  EventBusPublishersBlocked: {
    wrong: { [of("eventbus_publish_blocked_time_seconds_total", 'x=""')]: "0+60x20" },
    well: { [of("eventbus_publish_blocked_time_seconds_total", 'x=""')]: "0+6x20" },
    after: 4
  },
  EventBusPublishFailing: {
    wrong: { [publish("confirmed")]: "0+100x20", [publish("Unknown")]: "0+5x20" },
    // Mistakes of the caller have another alert.
    well: { [publish("confirmed")]: "0+100x20", [publish("Invalid")]: "0+5x20", [publish("Unknown")]: "0x20" },
    after: 6
  },
  EventBusPublishRefused: {
    wrong: { [publish("Denied")]: "0 0 1x20" },
    well: { [publish("Denied")]: "0x20", [publish("Rejected")]: "0+1x20" },
    after: 4
  },
  EventBusInFlightLimitFull: {
    wrong: { [of("eventbus_limit_waiting", 'eventbus_limit="callers"')]: "9x20" },
    well: { [of("eventbus_limit_waiting", 'eventbus_limit="callers"')]: "9 9 0 9 9 9 0 9 0 9 9 9 0x20" },
    after: 6,
    early: 4
  },
  EventBusDelaysLate: {
    wrong: { [of("eventbus_delay_lateness_seconds", 'x=""')]: "0.2 15x20" },
    well: {
      [of("eventbus_delay_lateness_seconds", 'x=""')]: "0.2 15 3x20",
      [check("delay ladder", "degraded")]: "0x20"
    },
    after: 4
  },
  EventBusRedisDegraded: {
    wrong: { [check("cache", "up")]: "1 0x20", [check("cache", "degraded")]: "0 1x20" },
    well: {
      [check("cache", "up")]: "1x20",
      [check("cache", "degraded")]: "0x20",
      [check("in-flight limits", "degraded")]: "1x20"
    },
    after: 4,
    early: 2
  },
  EventBusCacheDropping: {
    wrong: { [of("eventbus_cache_dropped_total", 'x=""')]: "0 0 40x20" },
    well: { [of("eventbus_cache_dropped_total", 'x=""')]: "40x20" },
    after: 4
  },
  EventBusEventLoopLag: {
    wrong: { [of("eventbus_event_loop_lag_seconds", 'x=""')]: "3x20" },
    well: { [of("eventbus_event_loop_lag_seconds", 'x=""')]: "0.2 3 0.2x20" },
    after: 6,
    early: 4
  },
  EventBusExportsFailing: {
    wrong: { [exported("accepted")]: "0x60", [exported("failed")]: "0+12x60" },
    well: { [exported("accepted")]: "0+12x60", [exported("failed")]: "0+1x60" },
    after: 13,
    early: 9
  },
  EventBusTargetDown: {
    wrong: { [node("up")]: "1 0x20" },
    well: { [node("up")]: "1 0 1x20" },
    after: 3
  },
  EventBusBrokerAlarm: {
    wrong: {
      [node("rabbitmq_alarms_memory_used_watermark")]: "0x20",
      [node("rabbitmq_alarms_free_disk_space_watermark")]: "1x20"
    },
    well: {
      [node("rabbitmq_alarms_memory_used_watermark")]: "0x20",
      [node("rabbitmq_alarms_free_disk_space_watermark")]: "0x20"
    },
    after: 2
  },
  EventBusBrokerMemory: {
    wrong: {
      [node("rabbitmq_process_resident_memory_bytes")]: "90x20",
      [node("rabbitmq_resident_memory_limit_bytes")]: "100x20"
    },
    well: {
      [node("rabbitmq_process_resident_memory_bytes")]: "70x20",
      [node("rabbitmq_resident_memory_limit_bytes")]: "100x20"
    },
    after: 11,
    early: 9
  },
  EventBusOutboxLate: {
    wrong: { [`eventbus_outbox_oldest_age_seconds{job="grades",instance="a"}`]: "0+60x20" },
    well: { [`eventbus_outbox_oldest_age_seconds{job="grades",instance="a"}`]: "0 60 90 10 0 30x20" },
    after: 7,
    early: 4
  },
  EventBusOutboxRefused: {
    wrong: { [`eventbus_outbox_refused{job="grades",instance="a"}`]: "0 0 1x20" },
    well: { [`eventbus_outbox_refused{job="grades",instance="a"}`]: "0x20" },
    after: 4,
    early: 2
  },
  EventBusBrokerDisk: {
    wrong: {
      [node("rabbitmq_disk_space_available_bytes")]: "150x20",
      [node("rabbitmq_disk_space_available_limit_bytes")]: "100x20"
    },
    well: {
      [node("rabbitmq_disk_space_available_bytes")]: "300x20",
      [node("rabbitmq_disk_space_available_limit_bytes")]: "100x20"
    },
    after: 11,
    early: 9
  },
  EventBusBrokerFiles: {
    wrong: {
      [node("rabbitmq_process_open_fds")]: "100x20",
      [node("rabbitmq_process_max_fds")]: "1024x20",
      [node("rabbitmq_queues")]: "207x20"
    },
    well: {
      [node("rabbitmq_process_open_fds")]: "700x20",
      [node("rabbitmq_process_max_fds")]: "65536x20",
      [node("rabbitmq_queues")]: "207x20"
    },
    after: 6,
    early: 4
  },
  EventBusRedisDown: {
    wrong: { [node("redis_up")]: "0x20" },
    well: { [node("redis_up")]: "1x20" },
    after: 2
  },
  EventBusRedisMemory: {
    wrong: { [node("redis_memory_used_bytes")]: "95x20", [node("redis_memory_max_bytes")]: "100x20" },
    // Without a limit.
    well: { [node("redis_memory_used_bytes")]: "95x20", [node("redis_memory_max_bytes")]: "0x20" },
    after: 11,
    early: 9
  }
}

function consumed(values: string): Series {
  return { [of("messaging_client_consumed_messages_total", subscriber)]: values }
}
