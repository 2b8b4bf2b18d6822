/** Asks for the token of a person whom the server does not know. */
import { button, fill, h, input } from "./Dom.ts"
import * as Client from "./Client.ts"

/** Shows the form until the server lets somebody in. */
export const login = (
  root: HTMLElement,
  problem: string | undefined,
  onSession: (session: Client.Session) => void
): void => {
  const token = input("Token", {
    type: "password",
    name: "token",
    required: true,
    hint: "It stays in this tab until you leave or close it."
  })
  const failed = h("p", { role: "alert", class: "message bad" }, problem)
  const form = h(
    "form",
    {
      class: "login",
      "aria-label": "Log in",
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault()
        void enter()
      }
    },
    h("h1", {}, "Event bus"),
    h(
      "p",
      {},
      "This server asks who you are. Give the token that it knows; behind a proxy that knows you, no token is needed."
    ),
    token.element,
    failed,
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: "primary" }, "Log in"),
      button("Try without a token", () => void enter(true))
    )
  )
  const enter = async (isWithout = false): Promise<void> => {
    const given = token.control.value.trim()
    // A header holds no other characters, and fetch would refuse it with words of its own.
    if (!isWithout && !/^[\x21-\x7e]+$/.test(given))
      return fill(failed, "A token has letters, digits and signs of ASCII alone.")
    Client.setToken(isWithout ? undefined : given)
    try {
      onSession(await Client.get<Client.Session>(["session"]))
    } catch (error) {
      Client.setToken(undefined)
      token.control.value = ""
      fill(
        failed,
        error instanceof Client.Failure && error.status === 403
          ? isWithout
            ? "This server wants a token."
            : "This token was not accepted."
          : Client.problem(error)
      )
      token.control.focus()
    }
  }
  document.title = "Log in – event bus"
  fill(root, h("main", {}, form))
  token.control.focus()
}
