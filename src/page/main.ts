/** The page for people on call: it asks who they are, and shows one view after the other, by the address behind `#`. */
import * as Client from "./Client.ts"
import { messages, sayNothing } from "./Dialog.ts"
import { button, fill, h, outside } from "./Dom.ts"
import { login } from "./Login.ts"
import { brief } from "./Text.ts"
import { addressOf, type Context, type View } from "./View.ts"
import { known } from "./views/Known.ts"
import { letters } from "./views/Letters.ts"
import { doctor, topology } from "./views/Looks.ts"
import { overview } from "./views/Overview.ts"
import { subscribers } from "./views/Subscribers.ts"

const views: ReadonlyArray<readonly [name: string, title: string, make: (context: Context) => View]> = [
  ["overview", "Overview", overview],
  ["subscribers", "Subscribers", subscribers],
  ["dead-letters", "Dead letters", letters],
  ["last-known", "Last known", known],
  ["topology", "Topology", topology],
  ["doctor", "Doctor", doctor]
]

const root = document.getElementById("root") ?? document.body

/** `#/dead-letters/mailer/7` as its parts. */
const pathOf = (hash: string): ReadonlyArray<string> => {
  try {
    return hash
      .replace(/^#\/?/, "")
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent)
  } catch {
    return []
  }
}

const shell = (session: Client.Session, onLogout: () => void) => {
  const links = views.map(([name, title]) => [name, h("a", { href: addressOf(name) }, title)] as const)
  const heading = h("h1", { tabindex: "-1" })
  const content = h("div", {})
  const main = h("main", { id: "content", tabindex: "-1" }, heading, messages, content)
  const skip = button("Skip to the content", () => main.focus(), { class: "skip" })
  const header = h(
    "header",
    {},
    h("strong", {}, "Event bus"),
    session.readOnly && h("span", { class: "tone warn" }, "Read-only"),
    h("span", { class: "who" }, outside(brief(session.operator, 60))),
    Client.hasToken() && button("Log out", onLogout)
  )
  const nav = h("nav", { "aria-label": "Views" }, h("ul", {}, ...links.map(([, link]) => h("li", {}, link))))
  fill(root, skip, header, nav, main)
  return (name: string, view: View, isFirst: boolean): void => {
    for (const [own, link] of links)
      if (own === name) link.setAttribute("aria-current", "page")
      else link.removeAttribute("aria-current")
    fill(heading, view.title)
    fill(content, view.element)
    document.title = `${view.title} – event bus`
    // A screen reader goes on where the new view begins.
    if (!isFirst) heading.focus()
  }
}

const begin = (session: Client.Session): void => {
  let view: View | undefined
  let shown: string | undefined
  const show = shell(session, () => {
    Client.setToken(undefined)
    end()
    void start()
  })
  const route = (): void => {
    const { hash } = location
    // The links of the page itself have no slash.
    if (hash === shown || (hash !== "" && !hash.startsWith("#/"))) return
    const [name = "overview", ...path] = pathOf(hash)
    const [found = "overview", , make = overview] = views.find(([own]) => own === name) ?? []
    view?.dispose()
    sayNothing()
    view = make({ session, path })
    show(found, view, shown === undefined)
    shown = hash
  }
  const end = (): void => {
    view?.dispose()
    removeEventListener("hashchange", route)
  }
  addEventListener("hashchange", route)
  route()
}

const start = async (): Promise<void> => {
  try {
    begin(await Client.get<Client.Session>(["session"]))
  } catch (error) {
    const isUnknown = error instanceof Client.Failure && error.status === 403
    if (isUnknown) Client.setToken(undefined)
    login(root, isUnknown ? undefined : Client.problem(error), begin)
  }
}

void start()
