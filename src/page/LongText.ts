/** A text of any length: its start at once, all of it on request. */
import { button, fill, h } from "./Dom.ts"
import { count, visible } from "./Text.ts"

const mostAtFirst = 4000

export const longText = (label: string, text: string): HTMLElement => {
  const shown = h("pre", { tabindex: "0", role: "region", "aria-label": label })
  // A text node: `visible` first, since the text may be from anywhere.
  const show = (part: string): void => fill(shown, visible(part))
  if (text.length <= mostAtFirst) {
    show(text)
    return shown
  }
  show(text.slice(0, mostAtFirst))
  const all = button(`Show all ${count(text.length)} characters`, () => {
    show(text)
    all.remove()
    shown.focus()
  })
  return h("div", {}, shown, all)
}
