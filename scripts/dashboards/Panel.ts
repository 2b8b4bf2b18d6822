/**
 * Converts boards to dashboards in Grafana's classic JSON model, checked against Grafana's own types. The position, id
 * and data source of a panel follow from its order.
 */
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  type Dashboard,
  FieldColorModeId,
  GraphDrawStyle,
  type GraphFieldConfig,
  LegendDisplayMode,
  type Panel as GrafanaPanel,
  PercentChangeColorMode,
  type RowPanel,
  SortOrder,
  StackingMode,
  ThresholdsMode,
  TooltipDisplayMode,
  type VariableModel,
  VisibilityMode,
  VizOrientation
} from "@grafana/schema"
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen"
import type { Options as TimeSeriesOptions } from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen"
import type { Query } from "./Query.ts"

export interface Target {
  readonly query: Query
  /** `{{label}}` stands for the value of a label. */
  readonly legend: string
  /** Whether a healthy system has no data for it: failures that have not happened. */
  readonly quiet?: boolean
}

interface Common {
  readonly title: string
  /** What it shows and when to worry, for the person on call. */
  readonly description: string
  readonly targets: ReadonlyArray<Target>
  /** A unit of Grafana: `short`, `s`, `bytes`, `reqps`, `percentunit`. */
  readonly unit: string
}

export interface Panel extends Common {
  readonly kind: "timeseries" | "stat"
  /** Red from this value on. */
  readonly alarmFrom?: number
  /** Red up to this value. */
  readonly alarmUpTo?: number
  readonly stacked?: boolean
}

export interface Variable {
  readonly name: string
  readonly label: string
  /** The query that finds its values. */
  readonly from: Query
  /** The label whose values are offered. */
  readonly values: string
}

export interface Board {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly variables: ReadonlyArray<Variable>
  /** Rows of panels. The panels of a row have the same width. */
  readonly rows: ReadonlyArray<{ readonly title: string; readonly panels: ReadonlyArray<Panel> }>
}

const datasource = { type: "prometheus", uid: "prometheus" }
const width = 24

const steps = ({ alarmFrom, alarmUpTo }: Panel) => {
  if (alarmFrom !== undefined)
    return [
      { color: "green", value: null },
      { color: "red", value: alarmFrom }
    ]
  if (alarmUpTo === undefined) return [{ color: "blue", value: null }]
  return [
    { color: "red", value: null },
    { color: "green", value: alarmUpTo + 1 }
  ]
}

const letters = "ABCDEFGHIJKLMNOP"

const statOptions = {
  colorMode: BigValueColorMode.Background,
  graphMode: BigValueGraphMode.Area,
  justifyMode: BigValueJustifyMode.Auto,
  orientation: VizOrientation.Auto,
  textMode: BigValueTextMode.Auto,
  wideLayout: true,
  showPercentChange: false,
  percentChangeColorMode: PercentChangeColorMode.Standard,
  reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false }
} satisfies StatOptions

const timeSeriesOptions = {
  legend: {
    displayMode: LegendDisplayMode.Table,
    placement: "bottom",
    showLegend: true,
    calcs: ["lastNotNull", "max"]
  },
  tooltip: { mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending }
} satisfies TimeSeriesOptions

const panelOf = (panel: Panel, id: number, gridPos: NonNullable<GrafanaPanel["gridPos"]>): GrafanaPanel => {
  const isStat = panel.kind === "stat"
  const stacked = panel.stacked === true
  const custom = {
    drawStyle: GraphDrawStyle.Line,
    lineWidth: 1,
    fillOpacity: stacked ? 30 : 5,
    showPoints: VisibilityMode.Never,
    // A counter that is missing from one scrape is not a gap.
    spanNulls: true,
    stacking: { mode: stacked ? StackingMode.Normal : StackingMode.None, group: "A" }
  } satisfies GraphFieldConfig
  return {
    id,
    type: panel.kind,
    title: panel.title,
    description: panel.description,
    datasource,
    gridPos,
    fieldConfig: {
      defaults: {
        unit: panel.unit,
        min: 0,
        thresholds: { mode: ThresholdsMode.Absolute, steps: steps(panel) },
        color: { mode: isStat ? FieldColorModeId.Thresholds : FieldColorModeId.PaletteClassic },
        ...(!isStat && { custom })
      },
      overrides: []
    },
    options: isStat ? statOptions : timeSeriesOptions,
    targets: panel.targets.map(({ legend, query }, i) => ({
      refId: letters[i] ?? `Z${i}`,
      datasource,
      expr: query.expr,
      legendFormat: legend,
      editorMode: "code",
      range: true,
      instant: false
    }))
  }
}

const rowOf = (title: string, id: number, y: number): RowPanel => ({
  id,
  type: "row",
  title,
  collapsed: false,
  gridPos: { x: 0, y, w: width, h: 1 },
  panels: []
})

const variableOf = ({ from, label, name, values }: Variable): VariableModel => ({
  type: "query",
  name,
  label,
  datasource,
  query: { qryType: 1, query: `label_values(${from.expr}, ${values})`, refId: `variable-${name}` },
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: ".*",
  current: { selected: true, text: ["All"], value: ["$__all"] },
  options: [],
  hide: 0,
  regex: "",
  skipUrlSync: false
})

/** The dashboard as JSON. */
export const dashboardOf = (board: Board): Dashboard => {
  const panels: Array<GrafanaPanel | RowPanel> = []
  let y = 0
  for (const row of board.rows) {
    panels.push(rowOf(row.title, panels.length + 1, y++))
    const w = Math.floor(width / row.panels.length)
    const h = row.panels.every(({ kind }) => kind === "stat") ? 4 : 9
    row.panels.forEach((panel, i) => panels.push(panelOf(panel, panels.length + 1, { x: i * w, y, w, h })))
    y += h
  }
  return {
    uid: board.uid,
    title: board.title,
    description: board.description,
    tags: ["eventbus"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    fiscalYearStartMonth: 0,
    timezone: "browser",
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    annotations: { list: [] },
    templating: { list: board.variables.map(variableOf) },
    links: [
      {
        type: "dashboards",
        title: "Event bus",
        tags: ["eventbus"],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
        targetBlank: false,
        icon: "external link",
        tooltip: "",
        url: ""
      }
    ],
    panels
  }
}

export const timeseries = (
  title: string,
  unit: string,
  description: string,
  targets: ReadonlyArray<Target>,
  more: Partial<Pick<Panel, "stacked">> = {}
): Panel => ({ kind: "timeseries", title, unit, description, targets, ...more })

export const stat = (
  title: string,
  unit: string,
  description: string,
  query: Query,
  more: Partial<Pick<Panel, "alarmFrom" | "alarmUpTo">> = {}
): Panel => ({ kind: "stat", title, unit, description, targets: [{ query, legend: "" }], ...more })
