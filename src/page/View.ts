/** What a view of the page is. */
import type { Session } from "./Client.ts"

export interface View {
  readonly title: string
  readonly element: HTMLElement
  /** Ends what it does now and then. */
  readonly dispose: () => void
}

export interface Context {
  readonly session: Session
  /** What stands behind the name of the view in the address. */
  readonly path: ReadonlyArray<string>
}

/** The address of a view. */
export const addressOf = (...path: ReadonlyArray<string>): string => `#/${path.map(encodeURIComponent).join("/")}`
