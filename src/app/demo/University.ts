/**
 * A small made-up university: its people and courses, what is written there, and how to draw from them. People,
 * courses and posts come from small sets, so that keys repeat as they do in reality. Everything is pure: the same
 * random source gives the same data, and nothing reads a clock.
 */
import type { SeededRandom as Random } from "../../bus/support/SeededRandom.ts"
import { AssignmentId, CourseId, PostId, UserId, type catalog } from "../../catalog/index.ts"
import type * as Event from "../../event/Event.ts"

type CatalogEvent = (typeof catalog.events)[number]
export type Name = CatalogEvent["name"]
export type DataOf<N extends Name> = Event.Data<Extract<CatalogEvent, { readonly name: N }>>

/** A function that makes valid data for every event of a domain. */
export type SamplesOf<Domain extends string> = {
  readonly [N in Extract<Name, `${Domain}.${string}`>]: (random: Random) => DataOf<N>
}

const given = [
  "Amara",
  "Ben",
  "Chiara",
  "Dmitri",
  "Elif",
  "Farid",
  "Grace",
  "Hiroshi",
  "Inés",
  "Jonas",
  "Kwame",
  "Łucja",
  "Mei",
  "Noor",
  "Óscar",
  "Priya"
]
const family = [
  "Okafor",
  "Schneider",
  "Rossi",
  "Ivanova",
  "Yılmaz",
  "Haddad",
  "O'Neill",
  "Tanaka",
  "García",
  "Lindström",
  "Mensah",
  "Nowak",
  "Chen",
  "al-Rashid",
  "Silva",
  "Sharma"
]
export const courses = [
  "Linear Algebra",
  "Organic Chemistry",
  "Modern History",
  "Databases",
  "Microeconomics",
  "Ethics",
  "Signals and Systems",
  "Academic Writing"
]
export const topics = [
  "proofs",
  "matrices",
  "reaction kinetics",
  "archives",
  "query planning",
  "elasticity",
  "virtue",
  "Fourier series",
  "argument",
  "peer review"
]
export const works = ["Problem set", "Lab report", "Essay", "Midterm exam", "Project", "Presentation"]
export const remarks = [
  "Clear and complete.",
  "Good idea, check the second step.",
  "Please cite your sources.",
  "The plot needs axis labels.",
  "Excellent work 🎉"
]
export const posts = [
  "Anyone up for a study group on Thursday?",
  "The library is open until midnight this week.",
  "My notes of today's lecture are attached.",
  "Found a blue water bottle in room 2.14."
]
export const comments = ["Count me in!", "Thank you, that helped.", "Which chapter is that?", "Same here 😅"]
export const providers = ["postmark", "sns", "fcm", "apns"]
export const locales = ["en", "de", "es", "pl", "pt-BR", "tr"]
export const countries = ["DE", "ES", "GH", "IN", "JP", "PL"]
const hexadecimal = [..."0123456789abcdef"]
export const digits = [..."0123456789"]
// A Monday in September: the start of the term in which everything happens.
export const termStart = new Date("2026-09-07T08:00:00.000Z").getTime()
export const day = 86_400_000

export const one = <A>(random: Random, first: A, ...rest: ReadonlyArray<A>): A =>
  rest[int(random, 0, rest.length) - 1] ?? first
// Every list of this file has at least one element, so `first` is one.
export const pick = <A>(random: Random, [first, ...rest]: ReadonlyArray<A>): A => one(random, first as A, ...rest)
export const int = (random: Random, least: number, most: number): number =>
  least + Math.floor(random() * (most - least + 1))
export const chance = (random: Random, probability: number): boolean => random() < probability
export const many = <A>(random: Random, least: number, most: number, make: (index: number) => A): ReadonlyArray<A> =>
  Array.from({ length: int(random, least, most) }, (_, index) => make(index))
export const letters = (random: Random, alphabet: ReadonlyArray<string>, length: number): string =>
  many(random, length, length, () => pick(random, alphabet)).join("")
export const bell = (random: Random): number => (random() + random() + random()) / 3
export const round = (value: number): number => Math.round(value * 10) / 10

export const student = (random: Random) => UserId.make(`u-${int(random, 100, 163)}`)
export const teacher = (random: Random) => UserId.make(`u-${int(random, 1, 12)}`)
export const officer = (random: Random) => UserId.make(`u-${int(random, 20, 24)}`)
export const courseAt = (index: number) => CourseId.make(`c-${index + 1}`)
export const course = (random: Random) => courseAt(int(random, 0, courses.length - 1))
export const assignment = (random: Random) => AssignmentId.make(`a-${int(random, 1, 48)}`)
export const post = (random: Random) => PostId.make(`p-${int(random, 1, 200)}`)
export const fresh = (random: Random, prefix: string): string => `${prefix}-${letters(random, hexadecimal, 12)}`
export const moment = (random: Random): Date => new Date(termStart + int(random, 0, 100 * day))
export const dayText = (date: Date): string => date.toISOString().slice(0, 10)
export const birthDate = (random: Random): string =>
  dayText(new Date(Date.UTC(int(random, 1985, 2008), int(random, 0, 11), int(random, 1, 28))))
export const sha256 = (random: Random): string => letters(random, hexadecimal, 64)
export const person = (random: Random) => ({ given: pick(random, given), family: pick(random, family) })
export const mail = (name: { readonly given: string; readonly family: string }): string =>
  // Accents and apostrophes do not go into the addresses of this university.
  `${name.given}.${name.family}@students.example.edu`
    .normalize("NFD")
    .toLowerCase()
    .replace(/[^a-z0-9.@-]/g, "")
export const score = (random: Random) => {
  const outOf = pick(random, [20, 50, 100])
  return { points: round(outOf * (0.4 + 0.6 * bell(random))), outOf }
}
export const two = (random: Random): readonly [UserId, UserId] => {
  const number = int(random, 100, 162)
  return [UserId.make(`u-${number}`), UserId.make(`u-${number + 1}`)]
}
