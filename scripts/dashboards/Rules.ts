/** Alert rules as Prometheus reads them. */
import { stringify } from "yaml"
import { anchorOf, type Group } from "./Alert.ts"
import { serverAlerts } from "./ServerAlerts.ts"
import { serviceAlerts } from "./ServiceAlerts.ts"
import { spans } from "./Span.ts"
import { subscriberAlerts } from "./SubscriberAlerts.ts"

export const groups: ReadonlyArray<Group> = [subscriberAlerts, serviceAlerts, serverAlerts]
export const alerts = groups.flatMap((group) => group.alerts)

export interface RuleOptions {
  /** What all times are multiplied with. Default 1. */
  readonly scale?: number
  /** Where the runbook is published. Default: its path in this repository. */
  readonly runbook?: string
}

/** The file of rules, as an object. */
export const rules = ({ runbook = "docs/runbook.md", scale = 1 }: RuleOptions = {}) => {
  const its = spans(scale)
  return {
    groups: groups.map((group) => ({
      name: group.name,
      rules: group.alerts.map((alert) => ({
        alert: alert.name,
        expr: alert.query(its).expr,
        for: its.text(alert.lasting),
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
