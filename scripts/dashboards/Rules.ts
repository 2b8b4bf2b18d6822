/** Converts alerts to the rules file of Prometheus. */
import { stringify } from "yaml"
import { anchorOf, type Group } from "./Alert.ts"
import { serverAlerts } from "./ServerAlerts.ts"
import { serviceAlerts } from "./ServiceAlerts.ts"
import { scaledDurations } from "./ScaledDurations.ts"
import { subscriberAlerts } from "./SubscriberAlerts.ts"

export const groups: ReadonlyArray<Group> = [subscriberAlerts, serviceAlerts, serverAlerts]
export const alerts = groups.flatMap((group) => group.alerts)

export interface RuleOptions {
  /** Factor for all durations. Default 1. */
  readonly scale?: number
  /** Address of the runbook. Default: its path in this repository. */
  readonly runbook?: string
}

/** The rules file as an object. */
export const rules = ({ runbook = "docs/runbook.md", scale = 1 }: RuleOptions = {}) => {
  const scaled = scaledDurations(scale)
  return {
    groups: groups.map((group) => ({
      name: group.name,
      rules: group.alerts.map((alert) => ({
        alert: alert.name,
        expr: alert.query(scaled).expr,
        for: scaled.text(alert.lasting),
        labels: { severity: alert.severity },
        annotations: {
          summary: alert.summary,
          description: alert.description,
          runbook_url: `${runbook}${anchorOf(alert.name)}`
        }
      }))
    }))
  }
}

export const inYaml = (value: unknown): string => stringify(value, { lineWidth: 0 })
