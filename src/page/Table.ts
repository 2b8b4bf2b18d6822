/**
 * A table whose rows have keys: what is read again every few seconds changes texts in place, so the focus and the place
 * of a reader stay. On a narrow screen each row is a card, so its roles are written down.
 */
import { type Child, fill, h, outside } from "./Dom.ts"
import { brief } from "./Text.ts"

export type Tone = "good" | "warn" | "bad" | "dim"

export interface CellText {
  readonly text: string
  readonly tone?: Tone | undefined
  readonly href?: string | undefined
  /** The longest text, where it is not the usual one. */
  readonly most?: number
}

export interface Column<Item> {
  readonly name: string
  readonly isNumber?: boolean
  /** The text of a cell, or something that is made once for each row; `latest` is the row as it was read last. */
  readonly text?: (item: Item) => string | CellText
  readonly made?: (latest: () => Item) => Child
}

export interface TableOptions<Item> {
  readonly caption: string
  readonly columns: ReadonlyArray<Column<Item>>
  readonly keyOf: (item: Item) => string
  /** Stands there while there is no row. */
  readonly empty: string
}

export interface Table<Item> {
  readonly element: HTMLElement
  readonly update: (items: ReadonlyArray<Item>) => void
}

interface Row<Item> {
  readonly element: HTMLTableRowElement
  readonly cells: ReadonlyArray<HTMLElement>
  item: Item
}

const show = (cell: HTMLElement, given: string | CellText): void => {
  const { href, most, text, tone } = typeof given === "string" ? { text: given } : given
  const shown = brief(text, most)
  const state = `${shown}\n${tone ?? ""}\n${href ?? ""}`
  if (states.get(cell) === state) return
  states.set(cell, state)
  const content = tone === undefined ? outside(shown) : h("span", { class: `tone ${tone}` }, outside(shown))
  const link = cell.querySelector("a")
  // A link that has the focus keeps it.
  if (href !== undefined && link !== null) {
    link.setAttribute("href", href)
    return fill(link, content)
  }
  fill(cell, href === undefined ? content : h("a", { href }, content))
}
const states = new WeakMap<HTMLElement, string>()

const makeRow = <Item>(item: Item, columns: TableOptions<Item>["columns"]): Row<Item> => {
  const cells = columns.map(({ isNumber, name }, index) =>
    h(index === 0 ? "th" : "td", {
      ...(index === 0 ? { scope: "row", role: "rowheader" } : { role: "cell" }),
      "data-label": name,
      ...(isNumber === true && { class: "number" })
    })
  )
  const row: Row<Item> = { element: h("tr", { role: "row" }, ...cells), cells, item }
  columns.forEach(({ made }, index) => {
    const cell = cells[index]
    if (made !== undefined && cell !== undefined)
      fill(
        cell,
        made(() => row.item)
      )
  })
  return row
}

export const table = <Item>({ caption, columns, empty, keyOf }: TableOptions<Item>): Table<Item> => {
  const rows = new Map<string, Row<Item>>()
  const body = h("tbody", { role: "rowgroup" })
  const head = h(
    "tr",
    { role: "row" },
    ...columns.map(({ isNumber, name }) =>
      h("th", { scope: "col", role: "columnheader", ...(isNumber === true && { class: "number" }) }, name)
    )
  )
  const whole = h("table", { role: "table" }, h("caption", {}, caption), h("thead", { role: "rowgroup" }, head), body)
  const nothing = h("p", { class: "empty" }, empty)
  const element = h("div", { class: "table" }, whole, nothing)
  return {
    element,
    update: (items) => {
      const keys = new Set(items.map(keyOf))
      for (const [key, row] of rows) {
        if (keys.has(key)) continue
        row.element.remove()
        rows.delete(key)
      }
      items.forEach((item, index) => {
        const key = keyOf(item)
        const row = rows.get(key) ?? makeRow(item, columns)
        row.item = item
        rows.set(key, row)
        columns.forEach(({ text }, at) => {
          const cell = row.cells[at]
          if (text !== undefined && cell !== undefined) show(cell, text(item))
        })
        // A row that moves loses the focus, so one that is in its place stays.
        const there = body.children[index]
        if (there !== row.element) body.insertBefore(row.element, there ?? null)
      })
      whole.hidden = items.length === 0
      nothing.hidden = items.length > 0
    }
  }
}
