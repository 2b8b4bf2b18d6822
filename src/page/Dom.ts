/** Elements, made one by one. Text is only ever a text node, and attributes are from the list below. */
import { visible } from "./Text.ts"

export type Child = Node | string | number | undefined | false

type Handler = (event: never) => void

export interface Attributes {
  readonly id?: string
  readonly class?: string
  readonly role?: string
  readonly href?: string
  readonly for?: string
  readonly name?: string
  readonly type?: string
  readonly value?: string
  readonly placeholder?: string
  readonly autocomplete?: "off" | "on"
  readonly inputmode?: string
  readonly list?: string
  readonly min?: string
  readonly rows?: string
  readonly scope?: string
  readonly max?: string
  readonly title?: string
  readonly label?: string
  readonly tabindex?: string
  readonly datetime?: string
  readonly spellcheck?: "false"
  readonly required?: boolean
  readonly disabled?: boolean
  readonly checked?: boolean
  readonly open?: boolean
  readonly hidden?: boolean
  readonly selected?: boolean
  readonly "data-label"?: string
  readonly [aria: `aria-${string}`]: string | undefined
  readonly onclick?: Handler
  readonly onsubmit?: Handler
  readonly onchange?: Handler
  readonly oncancel?: Handler
}

const append = (element: Element, children: ReadonlyArray<Child>): void => {
  for (const child of children) {
    if (child === undefined || child === false) continue
    element.append(child instanceof Node ? child : document.createTextNode(visible(String(child))))
  }
}

/** Makes an element. */
export const h = <Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: ReadonlyArray<Child>
): HTMLElementTagNameMap[Tag] => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    // The type of the attributes knows functions for events alone.
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener)
    else element.setAttribute(name, value === true ? "" : String(value))
  }
  append(element, children)
  return element
}

/** Makes an element of a drawing. */
export const svg = (tag: string, attributes: Readonly<Record<string, string>>): SVGElement => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  return element
}

/** Puts these in the place of what an element has. */
export const fill = (element: Element, ...children: ReadonlyArray<Child>): void => {
  element.replaceChildren()
  append(element, children)
}

/** A text from outside: its direction does not reach what stands around it. */
export const outside = (text: string): HTMLElement => h("bdi", {}, text)

let last = 0
/** An id that no other element has. */
export const freshId = (): string => `e${++last}`

export interface FieldOptions extends Attributes {
  readonly hint?: string
}

interface Field<Control> {
  readonly element: HTMLElement
  readonly control: Control
}

const labelled = <Control extends HTMLElement>(
  label: string,
  hint: string | undefined,
  make: (attributes: Attributes) => Control
): Field<Control> => {
  const id = freshId()
  const hintId = `${id}-hint`
  const control = make({ id, ...(hint !== undefined && { "aria-describedby": hintId }) })
  const element = h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    control,
    hint !== undefined && h("span", { class: "hint", id: hintId }, hint)
  )
  return { element, control }
}

/** An input with its label. */
export const input = (label: string, { hint, ...attributes }: FieldOptions = {}): Field<HTMLInputElement> =>
  labelled(label, hint, (own) =>
    h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...attributes, ...own })
  )

export const textarea = (
  label: string,
  text: string,
  { hint, ...attributes }: FieldOptions = {}
): Field<HTMLTextAreaElement> =>
  labelled(label, hint, (own) => h("textarea", { rows: "6", spellcheck: "false", ...attributes, ...own }, text))

/** A choice of values, of which the first may stand for none. */
export const select = (
  label: string,
  options: ReadonlyArray<readonly [value: string, text: string]>
): Field<HTMLSelectElement> =>
  labelled(label, undefined, (own) => h("select", own, ...options.map(([value, text]) => h("option", { value }, text))))

export const button = (text: string, onclick: () => void, attributes: Attributes = {}): HTMLButtonElement =>
  h("button", { type: "button", onclick, ...attributes }, text)
