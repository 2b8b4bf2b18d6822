/** Checks that become stricter, looser or others. */
import { Schema } from "effect"
import { type Mutation, value } from "./Mutation.ts"

const { Array, Int, String } = Schema
const tightened = "check-tightened value: new publishers"
const loosened = "check-loosened value: old"
const changed = "check-changed value: old new publishers"

const atLeast = (minimum: number) => Int.check(Schema.isGreaterThanOrEqualTo(minimum))
const matching = (pattern: RegExp) => String.check(Schema.isPattern(pattern))
const from = (day: string) =>
  Schema.Date.check(Schema.isBetweenDate({ minimum: new Date(day), maximum: new Date("2100-01-01T00:00:00.000Z") }))

export const rows: ReadonlyArray<Mutation> = [
  value("text gets a shortest length", String, String.check(Schema.isMinLength(1)), tightened),
  value(
    "the shortest length grows by one",
    String.check(Schema.isMinLength(3)),
    String.check(Schema.isMinLength(4)),
    tightened
  ),
  value(
    "the shortest length shrinks",
    String.check(Schema.isMinLength(3)),
    String.check(Schema.isMinLength(1)),
    loosened
  ),
  value(
    "the longest length shrinks",
    String.check(Schema.isMaxLength(20)),
    String.check(Schema.isMaxLength(10)),
    tightened
  ),
  value(
    "the longest length grows",
    String.check(Schema.isMaxLength(20)),
    String.check(Schema.isMaxLength(21)),
    loosened
  ),
  value("the longest length is gone", String.check(Schema.isMaxLength(20)), String, loosened),
  value("the smallest number grows", atLeast(0), atLeast(1), tightened),
  value("the smallest number shrinks", atLeast(1), atLeast(0), loosened),
  value("the smallest number is excluded", atLeast(0), Int.check(Schema.isGreaterThan(0)), tightened),
  value(
    "a range moves",
    Int.check(Schema.isBetween({ minimum: 0, maximum: 10 })),
    Int.check(Schema.isBetween({ minimum: 5, maximum: 20 })),
    changed
  ),
  value("the steps get coarser", Int.check(Schema.isMultipleOf(2)), Int.check(Schema.isMultipleOf(4)), tightened),
  value("the steps get finer", Int.check(Schema.isMultipleOf(4)), Int.check(Schema.isMultipleOf(2)), loosened),
  value("a pattern is added", String, matching(/^[a-z]+$/u), tightened),
  value("a pattern is removed", matching(/^[a-z]+$/u), String, loosened),
  value("a pattern changes", matching(/^[a-z]+$/u), matching(/^[a-z0-9]+$/u), changed),
  value("a pattern that JSON Schema cannot have is added", String, matching(/^[a-z]+$/i), tightened),
  value("a pattern ignores case", matching(/^[a-z]+$/), matching(/^[a-z]+$/i), changed),
  value("text has to be a UUID", String, String.check(Schema.isUUID()), tightened),
  value(
    "a check of its own is added",
    String,
    String.check(Schema.makeFilter((text) => text !== "x", { expected: "not x" })),
    tightened
  ),
  value(
    "a check of its own is removed",
    String.check(Schema.makeFilter((text) => text !== "x", { expected: "not x" })),
    String,
    loosened
  ),
  value(
    "a check over two fields is added",
    Schema.Struct({ a: Int, b: Int }),
    Schema.Struct({ a: Int, b: Int }).check(Schema.makeFilter(({ a, b }) => a < b, { expected: "a before b" })),
    tightened
  ),
  value("a list may not be empty", Array(String), Array(String).check(Schema.isMinLength(1)), tightened),
  value("a list may be empty", Schema.NonEmptyArray(String), Array(String), loosened),
  value(
    "a list may be longer",
    Array(String).check(Schema.isMaxLength(5)),
    Array(String).check(Schema.isMaxLength(6)),
    loosened
  ),
  value("the items have to differ", Array(String), Array(String).check(Schema.isUnique()), tightened),
  value("times begin later", from("2000-01-01T00:00:00.000Z"), from("2001-01-01T00:00:00.000Z"), tightened),
  value("times begin earlier", from("2001-01-01T00:00:00.000Z"), from("2000-01-01T00:00:00.000Z"), loosened),
  value(
    "the items of a list get a check",
    Array(String),
    Array(String.check(Schema.isMaxLength(5))),
    "check-tightened value.*: new publishers"
  )
]
