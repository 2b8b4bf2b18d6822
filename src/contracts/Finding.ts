/** What a comparison finds, and the sentences that say it. */

/**
 * Who is affected: `old` are subscribers that have the contract of before, `new` those that have the new one and meet
 * what was published before; `readers` read what is remembered; `askers` get the answers to a request.
 */
export type Affected = "old" | "new" | "publishers" | "readers" | "askers"

export interface Finding {
  readonly rule: Rule
  /** A notice does not fail. */
  readonly level: "breaking" | "notice"
  readonly event: string
  readonly version: number
  /** Path within the data; empty for the whole. */
  readonly field: string
  readonly affected: ReadonlyArray<Affected>
  /** Of those that are known, the subscribers of the event. */
  readonly subscribers: ReadonlyArray<string>
  /** What differs. */
  readonly seen: string
  /** What to do instead. */
  readonly way: string
}

export type Rule = keyof typeof rules

interface Sentences {
  readonly level?: "notice"
  readonly affected: ReadonlyArray<Affected>
  /** What is seen, of what was and what is. */
  readonly seen: (before: string, after: string) => string
  readonly way: "version" | "accept" | ((event: string, version: number) => string)
}

const narrowed: ReadonlyArray<Affected> = ["new", "publishers"]
const widened: ReadonlyArray<Affected> = ["old"]
const both: ReadonlyArray<Affected> = ["old", "new", "publishers"]
const keyed: ReadonlyArray<Affected> = ["old", "new", "readers"]

const ofData = {
  "field-added": { affected: narrowed, seen: () => "is required and did not exist before", way: "version" },
  "field-required": { affected: narrowed, seen: () => "was optional and is required", way: "version" },
  "field-removed": { affected: widened, seen: () => "was required and is gone", way: "version" },
  "field-optional": { affected: widened, seen: () => "was required and is optional", way: "version" },
  "field-dropped": {
    level: "notice",
    affected: widened,
    seen: () => "was optional and is gone: who reads it gets nothing",
    way: "accept"
  },
  "field-renamed": { affected: ["old", "new"], seen: (_, after) => `is called ${after} now`, way: "version" },
  "type-changed": { affected: both, seen: (before, after) => `was ${before} and is ${after}`, way: "version" },
  "type-widened": { affected: widened, seen: (before, after) => `was ${before} and may be ${after}`, way: "version" },
  "type-narrowed": {
    affected: narrowed,
    seen: (before, after) => `was ${before} and is ${after} only`,
    way: "version"
  },
  "value-added": { affected: widened, seen: (_, after) => `may be ${after} now`, way: "version" },
  "value-removed": { affected: narrowed, seen: (before) => `may no longer be ${before}`, way: "version" },
  "variant-added": { affected: widened, seen: () => "is a new variant", way: "version" },
  "variant-removed": { affected: narrowed, seen: () => "is a variant no more", way: "version" },
  "check-tightened": { affected: narrowed, seen: (_, after) => `has the check "${after}" now`, way: "version" },
  "check-loosened": { affected: widened, seen: (before) => `has the check "${before}" no more`, way: "version" },
  "check-changed": {
    affected: both,
    seen: (before, after) => `had the check "${before}" and has "${after}"`,
    way: "version"
  }
} satisfies Readonly<Record<string, Sentences>>

const ofContract = {
  "version-added": {
    level: "notice",
    affected: widened,
    seen: (before, after) => `version ${after} follows version ${before}`,
    way: () => "Deploy subscribers before publishers: what an old process gets of it waits for a new one"
  },
  "version-lowered": {
    affected: ["new"],
    seen: (before, after) => `version ${before} went back to version ${after}`,
    way: (_, version) => `Keep version ${version}: undo a change by the next version, with an upcaster`
  },
  "version-removed": {
    affected: ["new"],
    seen: () => "this version cannot be read any more",
    way: (_, version) => `List version ${version} in \`previous\` again, with its upcaster`
  },
  "upcaster-missing": {
    affected: ["new"],
    seen: () => "this version is not the newest any more, and nothing brings its data up",
    way: (_, version) => `List version ${version} in \`previous\`, with an upcaster`
  },
  "upcaster-fails": {
    affected: ["new"],
    seen: (_, after) => after,
    way: (_, version) => `Mend the upcaster of version ${version}, so that it takes all that its schema accepts`
  },
  "upcaster-unproven": {
    level: "notice",
    affected: ["new"],
    seen: (_, after) => after,
    way: () => "Test it with data of your own, or give the schema an arbitrary of its own"
  },
  "not-compared": {
    level: "notice",
    affected: ["old", "new"],
    seen: (_, after) => `changes of its data are not found: ${after}`,
    way: () => "Use a schema whose library gives a Standard JSON Schema"
  },
  "key-changed": {
    affected: keyed,
    seen: (before, after) => `the key was ${before} and is ${after}: order and last known events go by another key`,
    way: (event) => `Keep the key of ${event}, or give the event a new name`
  },
  "cache-off": {
    affected: ["readers"],
    seen: (before) => `${before} is remembered no more`,
    way: () => "Keep it until nobody reads it"
  },
  "cache-less": {
    level: "notice",
    affected: ["readers"],
    seen: (before, after) => `${before} became ${after}`,
    way: () => "See that nobody reads more"
  },
  "sensitive-removed": {
    affected: ["old", "new"],
    seen: () => "is sensitive no more: its values may appear in logs, spans and dead letters",
    way: () => "Mark it with `sensitive` again"
  },
  "publishers-narrowed": {
    affected: ["publishers"],
    seen: (_, after) => `${after}: what others publish is denied`,
    way: () => "Change those who publish first"
  },
  "publishers-widened": {
    level: "notice",
    affected: ["old", "new"],
    seen: (_, after) => after,
    way: () => "See that subscribers trust them"
  },
  "answers-removed": {
    affected: ["askers"],
    seen: () => "is an event now, which nobody answers",
    way: () => "Keep the request until nobody asks"
  },
  "errors-removed": {
    level: "notice",
    affected: ["askers"],
    seen: () => "declares no errors any more",
    way: () => "See that no replier of before is left that answers with one"
  },
  "errors-added": {
    affected: ["askers"],
    seen: () => "declares errors now, which askers of before cannot read: they fail with InvalidReply",
    way: (event) => `Deploy askers before repliers, and write the snapshot anew; or give ${event} a new name`
  },
  "event-removed": {
    affected: widened,
    seen: () => "the event is gone",
    way: () => "Keep the contract until every subscriber has it in `retired`"
  },
  "event-renamed": {
    affected: widened,
    seen: (_, after) => `the event is called ${after} now`,
    way: (event) => `Keep ${event} and publish both until every subscriber takes the new one`
  },
  "subscriber-unpublished": {
    affected: widened,
    seen: (before) => `${before} subscribes to it, and no contract here has this name`,
    way: () => "Add its contract, mend the name, or move it to `retired`"
  },
  "subscriber-of-removed": {
    affected: widened,
    seen: (before) => `${before} still subscribes to this event, which is removed`,
    way: () => "Move it to `retired` of the subscriber, and deploy that first"
  }
} satisfies Readonly<Record<string, Sentences>>

const rules = { ...ofData, ...ofContract }

export interface Given {
  readonly event: string
  readonly version: number
  readonly field?: string
  readonly before?: string
  readonly after?: string
  /** Where fewer are affected than by the rule. */
  readonly affected?: ReadonlyArray<Affected>
}

export const make = (rule: Rule, { affected, after = "", before = "", event, field = "", version }: Given): Finding => {
  const sentences: Sentences = rules[rule]
  const { way } = sentences
  return {
    rule,
    level: sentences.level ?? "breaking",
    event,
    version,
    field,
    affected: affected ?? sentences.affected,
    subscribers: [],
    seen: sentences.seen(before, after),
    way:
      way === "version"
        ? `Give ${event} the version ${version + 1}, and put version ${version} with an upcaster into \`previous\``
        : way === "accept"
          ? "If nobody reads it, write the snapshot anew"
          : way(event, version)
  }
}

/** A finding in the data of an answer. Answers have no versions: an asker of any version gets what its replier writes. */
export const ofAnswer = (part: "reply" | "error", found: Finding): Finding => ({
  ...found,
  field: found.field === "" ? part : `${part}.${found.field}`,
  affected: ["askers"],
  way:
    found.level === "notice"
      ? found.way
      : `Keep the ${part} as it was: give what is new an optional field, or ask by a request of another name`
})

/** The rule, the field and who is affected; in brackets where it does not fail. */
export const summary = ({ affected, field, level, rule }: Finding): string => {
  const text = `${rule} ${field === "" ? "-" : field}: ${affected.join(" ")}`
  return level === "notice" ? `(${text})` : text
}
