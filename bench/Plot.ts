/** Pictures of a run as SVG, light and dark, without a dependency: bars for results, lines for growth. */
import * as Rounds from "./Rounds.ts"

const style = `<style>text{font:13px system-ui,sans-serif;fill:#24292f}.small{font-size:11px;fill:#57606a}.title{font-weight:600}.us{fill:#1f6feb}.them{fill:#8c959f}.grid{stroke:#d0d7de}.line{fill:none;stroke:#1f6feb;stroke-width:2}.dot{fill:#1f6feb}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.grid{stroke:#3d444d}.them{fill:#656c76}}</style>`

const safe = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
const short = (value: number): string =>
  value >= 1e6
    ? `${value / 1e6}M`
    : value >= 1000
      ? `${Number((value / 1000).toFixed(1))}k`
      : String(Number(value.toPrecision(3)))

interface Bar {
  readonly name: string
  readonly value: number
}

const bars = (title: string, unit: string, found: ReadonlyArray<Bar>, left: number): string => {
  const most = Math.max(...found.map(({ value }) => value), 1e-9)
  const rows = found.map(({ name, value }, index) => {
    const y = 56 + index * 24
    const width = Math.max(1, (value / most) * 120)
    return `<text class="small" x="${left}" y="${y + 12}">${safe(name)}</text><rect class="${name === "ours" ? "us" : "them"}" x="${left + 150}" y="${y}" width="${width.toFixed(1)}" height="16" rx="2"/><text class="small" x="${(left + 156 + width).toFixed(1)}" y="${y + 12}">${short(value)}</text>`
  })
  return `<text class="title" x="${left}" y="24">${safe(title)}</text><text class="small" x="${left}" y="42">${safe(unit)}</text>${rows.join("")}`
}

/** Publish, consume and latency side by side. */
export const picture = (rounds: Rounds.Rounds): string => {
  const of = (experiment: string, metric: Rounds.Metric): ReadonlyArray<Bar> =>
    (rounds.experiments.find(({ id }) => id === experiment)?.entries ?? []).flatMap(({ name }) => {
      const found = rounds.over(experiment, name, metric)
      return found === undefined || name.startsWith("ours,") ? [] : [{ name, value: found.median }]
    })
  const parts = [
    bars("Publish", "client CPU per event, µs", of("publish", Rounds.cpuPerEvent), 16),
    bars("Consume", "client CPU per event, µs", of("consume", Rounds.cpuPerEvent), 346),
    bars("Latency at 500 events/s", "median from publish to handler, ms", of("latency", Rounds.p50), 676)
  ]
  const height = 72 + 24 * Math.max(...["publish", "consume", "latency"].map((id) => of(id, Rounds.rss).length), 1)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 ${height}" width="1000" height="${height}" role="img" aria-label="Client CPU per event and latency beside other clients of RabbitMQ; shorter is better">${style}${parts.join("")}</svg>\n`
}

export interface Point {
  readonly x: number
  readonly y: number
}

/** Cost over size, both axes linear from 0 or logarithmic. */
export const lines = (title: string, xLabel: string, yLabel: string, points: ReadonlyArray<Point>): string => {
  const [width, height, left, top, right, bottom] = [560, 280, 60, 40, 20, 48]
  const xs = points.map(({ x }) => x)
  const [least, most] = [Math.min(...xs), Math.max(...xs)]
  const highest = Math.max(...points.map(({ y }) => y)) * 1.15
  const byPower = most / Math.max(least, 1e-9) > 20
  const scale = (x: number): number => (byPower ? Math.log(x) : x)
  const px = (x: number): number =>
    left + ((scale(x) - scale(least)) / Math.max(scale(most) - scale(least), 1e-9)) * (width - left - right)
  const py = (y: number): number => height - bottom - (y / highest) * (height - top - bottom)
  const grid = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const y = py(highest * part)
    return `<line class="grid" x1="${left}" x2="${width - right}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}"/><text class="small" x="${left - 8}" y="${(y + 4).toFixed(1)}" text-anchor="end">${short(highest * part)}</text>`
  })
  const marks = points.map(
    ({ x, y }) =>
      `<circle class="dot" cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="3.5"/><text class="small" x="${px(x).toFixed(1)}" y="${height - bottom + 16}" text-anchor="middle">${short(x)}</text>`
  )
  const path = points.map(({ x, y }) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ")
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${safe(title)}">${style}<text class="title" x="16" y="22">${safe(title)}</text>${grid.join("")}<polyline class="line" points="${path}"/>${marks.join("")}<text class="small" x="${(width + left) / 2}" y="${height - 10}" text-anchor="middle">${safe(xLabel)}</text><text class="small" x="${width - right}" y="22" text-anchor="end">${safe(yLabel)}</text></svg>\n`
}
