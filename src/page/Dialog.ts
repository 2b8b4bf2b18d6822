/** Asks before something is changed, and says what happened. */
import { button, type Child, fill, freshId, h } from "./Dom.ts"

export interface Question {
  readonly title: string
  readonly lines: ReadonlyArray<Child>
  /** The word of the button that does it. */
  readonly action: string
  /** What is done cannot be undone. */
  readonly isFinal?: boolean
}

/** Resolves with whether it is wanted. Escape is no. */
export const confirm = ({ action, isFinal = false, lines, title }: Question): Promise<boolean> =>
  new Promise((resolve) => {
    const id = freshId()
    const close = (answer: boolean): void => {
      dialog.close()
      dialog.remove()
      resolve(answer)
    }
    const dialog = h(
      "dialog",
      { "aria-labelledby": id, oncancel: () => close(false) },
      h("h2", { id }, title),
      ...lines.map((line) => (line instanceof HTMLElement && line.tagName !== "BDI" ? line : h("p", {}, line))),
      h(
        "div",
        { class: "actions" },
        button("Cancel", () => close(false)),
        button(action, () => close(true), { class: isFinal ? "danger" : "primary" })
      )
    )
    document.body.append(dialog)
    dialog.showModal()
  })

const polite = h("p", { role: "status", class: "message" })
const urgent = h("p", { role: "alert", class: "message bad" })

/** Screen readers hear what is put here. */
export const messages = h("div", { class: "messages" }, polite, urgent)

export const say = (text: string): void => {
  fill(urgent)
  fill(polite, text)
}

export const sayFailed = (text: string): void => {
  fill(polite)
  fill(urgent, text)
}

export const sayNothing = (): void => {
  fill(polite)
  fill(urgent)
}
