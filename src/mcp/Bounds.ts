/**
 * Reports as a tool may answer them: bounded in size, so that one letter cannot fill the memory of whoever asked.
 */
import type * as Reports from "../operations/Reports.ts"

/** The largest number of letters in one answer. */
export const letters = 50

/** The largest number of processes in one answer, and of subscribers of each of them. */
export const processes = 100
const subscribers = 50

/** Characters of a text, of a stack and of a body. */
const limits = { text: 500, stack: 4000, body: 16_000 }

const cut = (text: string, limit: number): string =>
  text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length - limit} more characters)`

export const summary = (letter: typeof Reports.Letter.Type): typeof Reports.Letter.Type => ({
  ...letter,
  message: cut(letter.message, limits.text)
})

export const list = (report: typeof Reports.Letters.Type): typeof Reports.Letters.Type => ({
  ...report,
  letters: report.letters.map(summary)
})

export const detail = (letter: typeof Reports.LetterDetail.Type): typeof Reports.LetterDetail.Type => ({
  ...letter,
  message: cut(letter.message, limits.text),
  stack: letter.stack === null ? null : cut(letter.stack, limits.stack),
  failures: letter.failures
    .slice(-letters)
    .map((failure) => ({ ...failure, message: cut(failure.message, limits.text) })),
  body: letter.body === null ? null : body(letter.body)
})

const body = ({ encoding, value }: typeof Reports.Body.Type): typeof Reports.Body.Type => {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  if (text.length <= limits.body) return { encoding, value }
  return { encoding: encoding === "json" ? "text" : encoding, value: cut(text, limits.body) }
}

export const ps = (report: typeof Reports.byCommand.ps.Type): typeof Reports.byCommand.ps.Type => ({
  ...report,
  processes: report.processes.slice(0, processes).map((process) => ({
    ...process,
    subscribers: process.subscribers.slice(0, subscribers).map((subscriber) => ({
      ...subscriber,
      events: subscriber.events.slice(0, subscribers),
      cause: subscriber.cause === null ? null : cut(subscriber.cause, limits.text)
    }))
  }))
})

/** As they are, with the texts of refusals cut. */
export const replay = (report: typeof Reports.Replay.Type): typeof Reports.Replay.Type => ({
  ...report,
  refusals: report.refusals.slice(0, letters).map((text) => cut(text, limits.text))
})
