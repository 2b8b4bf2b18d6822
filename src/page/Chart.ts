/** A line of the last minutes. Its numbers stand beside it, so it is a picture for those who see it. */
import { fill, h, svg } from "./Dom.ts"

const points = 90
const width = 300
const height = 60

export interface Chart {
  readonly element: HTMLElement
  readonly add: (value: number) => void
}

export const chart = (label: string): Chart => {
  const values: Array<number> = []
  const line = svg("polyline", {
    fill: "none",
    "stroke-width": "2",
    class: "line",
    "vector-effect": "non-scaling-stroke"
  })
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true"
  })
  drawing.append(line)
  const caption = h("figcaption", {}, label)
  return {
    element: h("figure", { class: "chart" }, caption, drawing),
    add: (value) => {
      values.push(value)
      if (values.length > points) values.shift()
      const most = Math.max(1, ...values)
      const drawn = values.map((one, index) => {
        const x = width - ((values.length - 1 - index) * width) / (points - 1)
        return `${x.toFixed(1)},${(height - 4 - (one / most) * (height - 8)).toFixed(1)}`
      })
      line.setAttribute("points", drawn.join(" "))
      const peak = most.toFixed(most < 10 ? 1 : 0)
      fill(caption, `${label}: at most ${peak} in the last minutes`)
    }
  }
}
