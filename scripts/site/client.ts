/** What a page does in the browser: colours, menu, tabs, search. A plain script: it works from file:// as well. */
{
  const html = document.documentElement
  const top = html.dataset["top"] ?? "."

  /** Pages of file:// may have no storage. */
  const kept = (key: string): string | null => {
    try {
      return localStorage.getItem(`eventbus-docs-${key}`)
    } catch {
      return null
    }
  }
  const keep = (key: string, value: string): void => {
    try {
      localStorage.setItem(`eventbus-docs-${key}`, value)
    } catch {
      // Nothing is remembered then.
    }
  }

  const isDark = (): boolean =>
    (html.dataset["theme"] ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark"
  // Before anything is drawn.
  const theme = kept("theme")
  if (theme !== null) html.dataset["theme"] = theme
  html.classList.add("has-script")

  const setUpTheme = (button: HTMLButtonElement): void => {
    const show = (): void => {
      button.textContent = isDark() ? "Light" : "Dark"
    }
    button.addEventListener("click", () => {
      html.dataset["theme"] = isDark() ? "light" : "dark"
      keep("theme", html.dataset["theme"])
      show()
    })
    show()
  }

  const setUpMenu = (button: HTMLButtonElement): void => {
    const open = (isOpen: boolean): void => {
      html.classList.toggle("menu-open", isOpen)
      button.setAttribute("aria-expanded", String(isOpen))
    }
    button.addEventListener("click", () => open(!html.classList.contains("menu-open")))
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") open(false)
    })
    // The page that is open is in sight, without moving the page itself.
    const current = document.querySelector<HTMLElement>("#pages [aria-current]")
    const list = document.querySelector<HTMLElement>("#pages")
    if (current !== null && list !== null) list.scrollTop = current.offsetTop - list.clientHeight / 3
  }

  /** All groups of tabs show the same name, where they have it. */
  const showTab = (name: string): void => {
    for (const group of document.querySelectorAll<HTMLElement>(".tabs")) {
      const tabs = [...group.querySelectorAll<HTMLElement>(".tab")]
      if (!tabs.some((tab) => tab.dataset["tab"] === name)) continue
      for (const tab of tabs) tab.hidden = tab.dataset["tab"] !== name
      for (const button of group.querySelectorAll<HTMLElement>("[role=tab]")) {
        const isShown = button.textContent === name
        button.setAttribute("aria-selected", String(isShown))
        button.tabIndex = isShown ? 0 : -1
      }
    }
  }

  const setUpTabs = (): void => {
    document.querySelectorAll<HTMLElement>(".tabs").forEach((group, n) => {
      const list = document.createElement("div")
      list.setAttribute("role", "tablist")
      const tabs = [...group.querySelectorAll<HTMLElement>(".tab")]
      tabs.forEach((tab, m) => {
        const button = document.createElement("button")
        button.type = "button"
        button.id = `tab-${n}-${m}`
        button.textContent = tab.dataset["tab"] ?? ""
        button.setAttribute("role", "tab")
        button.setAttribute("aria-controls", `panel-${n}-${m}`)
        button.addEventListener("click", () => {
          const before = button.getBoundingClientRect().top
          showTab(button.textContent)
          keep("tab", button.textContent)
          // Groups above it may have changed their height.
          scrollBy(0, button.getBoundingClientRect().top - before)
        })
        tab.id = `panel-${n}-${m}`
        tab.setAttribute("role", "tabpanel")
        tab.setAttribute("aria-labelledby", button.id)
        list.append(button)
      })
      list.addEventListener("keydown", ({ key }) => {
        const step = key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0
        const buttons = [...list.querySelectorAll("button")]
        const at = buttons.findIndex((button) => button === document.activeElement)
        const next = buttons[(at + step + buttons.length) % buttons.length]
        if (step === 0 || next === undefined) return
        next.focus()
        next.click()
      })
      group.prepend(list)
      const first = tabs[0]?.dataset["tab"]
      if (first !== undefined) showTab(first)
    })
    const chosen = kept("tab")
    if (chosen !== null) showTab(chosen)
  }

  interface Found {
    readonly title: string
    readonly page: string
    readonly url: string
    readonly body: string
    readonly terms: ReadonlyArray<string>
  }
  interface Index {
    readonly search: (text: string, options: object) => ReadonlyArray<Found>
  }
  /** What the two scripts of the search leave behind. */
  interface Loaded {
    readonly docsIndex: string
    readonly MiniSearch: { readonly loadJSON: (json: string, options: object) => Index }
  }

  const load = (file: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const script = document.createElement("script")
      script.src = `${top}/assets/${file}`
      script.addEventListener("load", () => resolve())
      script.addEventListener("error", () => reject(new Error(`${script.src} is not there`)))
      document.head.append(script)
    })

  let index: Promise<Index> | undefined
  const loaded = (): Promise<Index> => {
    index ??= Promise.all([load("minisearch.js"), load("search-index.js")]).then(() => {
      // Both scripts have run: they set these two globals.
      const { MiniSearch, docsIndex } = globalThis as unknown as Loaded
      return MiniSearch.loadJSON(docsIndex, {
        fields: ["title", "page", "body"],
        storeFields: ["title", "page", "url", "body"]
      })
    })
    return index
  }

  /** A part of the text around the first word that was found. */
  const excerpt = ({ body, terms }: Found): string => {
    const text = body.toLowerCase()
    const at = Math.min(...terms.map((term) => text.indexOf(term)).filter((place) => place >= 0), text.length)
    const from = at === text.length || at < 60 ? 0 : body.indexOf(" ", at - 60) + 1
    return `${from > 0 ? "… " : ""}${body.slice(from, from + 160)}${from + 160 < body.length ? " …" : ""}`
  }

  const setUpSearch = (form: HTMLFormElement): void => {
    const input = form.querySelector("input")
    const box = form.querySelector<HTMLElement>("#found")
    if (input === null || box === null) return
    const show = async (): Promise<void> => {
      const text = input.value.trim()
      if (text === "") {
        box.hidden = true
        return
      }
      const found = (await loaded()).search(text, {
        prefix: true,
        fuzzy: (term: string) => (term.length > 4 ? 0.2 : false),
        combineWith: "AND",
        boost: { title: 4, page: 2 }
      })
      if (input.value.trim() !== text) return
      box.replaceChildren(
        ...found.slice(0, 12).map((one) => {
          const link = document.createElement("a")
          link.href = `${top}/${one.url}`
          const title = document.createElement("b")
          title.textContent = one.title === one.page ? one.title : `${one.page} › ${one.title}`
          const part = document.createElement("span")
          part.textContent = excerpt(one)
          link.append(title, part)
          return link
        })
      )
      if (found.length === 0) box.textContent = `Nothing is found for “${text}”.`
      box.hidden = false
    }
    input.addEventListener("focus", () => void loaded())
    input.addEventListener("input", () => void show())
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      box.querySelector("a")?.click()
    })
    form.addEventListener("keydown", (event) => {
      const links = [...box.querySelectorAll("a")]
      const at = links.findIndex((link) => link === document.activeElement)
      if (event.key === "Escape") box.hidden = true
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return
      event.preventDefault()
      const next = at + (event.key === "ArrowDown" ? 1 : -1)
      if (next < 0) input.focus()
      else links[next]?.focus()
    })
    document.addEventListener("click", ({ target }) => {
      if (target instanceof Node && !form.contains(target)) box.hidden = true
    })
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || document.activeElement instanceof HTMLInputElement) return
      event.preventDefault()
      input.focus()
    })
  }

  document.addEventListener("DOMContentLoaded", () => {
    const button = (name: string) => document.querySelector<HTMLButtonElement>(`button.${name}`)
    const [menu, themes, form] = [button("menu"), button("theme"), document.querySelector("form")]
    if (themes !== null) setUpTheme(themes)
    if (menu !== null) setUpMenu(menu)
    setUpTabs()
    if (form !== null) setUpSearch(form)
    // Tabs have moved what stands below them.
    if (location.hash !== "")
      document.querySelector(`[id="${CSS.escape(decodeURIComponent(location.hash.slice(1)))}"]`)?.scrollIntoView()
  })
}
