/**
 * What the library promises, and the failures that it must survive: what goes wrong, and what is required then.
 * Tests name the promises and rows that they guard at the beginning of their titles ("PUB5, P4: …"); coverage.ts
 * joins them into COVERAGE.md.
 *
 * `reason` says why no test here can show a row.
 */
export interface Row {
  readonly trigger: string
  readonly required: string
  readonly reason?: string
}

/** The promises, by their short names. */
export const promises: Readonly<Record<string, string>> = {
  P1: "Confirmed means stored",
  P2: "Every publish has one outcome",
  P3: "Every event is handled at least once or dead-lettered",
  P4: "Redis never fails a publish",
  P5: "A failing event blocks no other",
  P6: "Order by key",
  P7: "A retry never runs early",
  P8: "A dead letter is complete and replayable",
  P9: "Undecodable input is dead-lettered at once",
  P10: "A defect kills nothing",
  P11: "Actors restart by themselves",
  P12: "A drain is bounded",
  P13: "Memory is bounded",
  P14: "No secret leaves",
  P15: "Outside input forges nothing",
  P16: "A topology mismatch is one clear error",
  P17: "Embedded and live pass the same suite",
  P18: "Telemetry changes nothing"
}

/** The rows of a section have its prefix. */
export const sections: ReadonlyArray<{ readonly prefix: string; readonly title: string }> = [
  { prefix: "PUB", title: "Publishing" },
  { prefix: "C", title: "Consuming" },
  { prefix: "T", title: "Topology" },
  { prefix: "M", title: "Messages" },
  { prefix: "H", title: "Handlers" },
  { prefix: "R", title: "Retries and dead letters" },
  { prefix: "D", title: "Redis" },
  { prefix: "S", title: "Start and end" },
  { prefix: "O", title: "Surroundings" },
  { prefix: "N", title: "Details of the design" }
]

export const rows: Readonly<Record<string, Row>> = {
  PUB1: row(
    "the broker is killed with publishes in flight",
    "the outcome is Unknown, or the event is sent again with the same id; a confirmed event is stored"
  ),
  PUB2: row("a confirm is lost", "the outcome is Unknown, or the event is sent again; the duplicate has the same id"),
  PUB3: row("a connection is half-open", "heartbeats detect it; the deadline of a publish does not depend on them"),
  PUB4: row("a client connects to a frozen broker", "the whole attempt has a deadline"),
  PUB5: row("memory or disk alarm", "publishes wait, then fail with Overloaded; health reports it"),
  PUB6: row("a connection is blocked that also consumes", "publishing and consuming have separate connections"),
  PUB7: row("a blocked connection closes", "publishes in flight end as Unknown and are logged"),
  PUB8: row("no queue is bound", "`routed: false`, or Unroutable when mandatory"),
  PUB9: row("an exchange is missing", "it is declared again once, then the event is sent again"),
  PUB10: row("a full queue rejects", "Rejected; other queues of the fan-out may have the event"),
  PUB11: row("a queue drops messages at its head", "the library declares no such queue"),
  PUB12: row("a body is above the limit of the broker", "it is refused before the wire; other publishes are not hurt"),
  PUB13: row("AMQP cannot carry a header value", "Invalid before the wire"),
  PUB14: row("AMQP cannot carry a property", "Invalid before the wire"),
  PUB15: row("the socket takes no more", "publishes in flight are bounded by count and bytes; then Overloaded"),
  PUB16: row("the virtual host is missing or forbidden", "an error of its own, not retried fast"),
  PUB17: row("the password is wrong", "an error of its own that fails the start"),
  PUB18: row("the broker closes the connection by force", "the client connects again"),
  PUB19: row(
    "all clients reconnect at once",
    "backoff has full jitter and a cap; it is reset only after the connection was healthy for a while"
  ),
  PUB20: row(
    "a publisher dies between the confirm and its own records",
    "it publishes the event again with the same id"
  ),
  PUB21: row("a publisher sets its own done mark before the confirm", "a mark never suppresses an unconfirmed event"),
  PUB22: row("a frame is too large", "frame sizes stay as negotiated; header tables are checked before the wire"),
  PUB23: row("the binding of one subscriber of a fan-out is missing", "its subscriber declares it again"),
  PUB24: row("an event is published before anything subscribes", "`routed: false` says so"),
  C1: row("a process dies between handling and ack", "the event is handled again, with the same id"),
  C2: row("an ack after a reconnect", "it is dropped and counted: it belongs to a channel that is gone"),
  C3: row("a delivery is settled twice", "it is settled once; the second time is counted"),
  C4: row("a handler exceeds the consumer timeout of the broker", "the subscriber consumes again, nothing is lost"),
  C5: row("the queue is deleted under its consumer", "it is declared and consumed again"),
  C6: row("no prefetch", "there is always a prefetch"),
  C7: row("the delivery callback throws", "it cannot: it only enqueues"),
  C8: row("a channel has no error listener", "listeners are there before the first await"),
  C9: row("deliveries arrive after cancel was requested", "they are held, not started, and given back"),
  C10: row("a handler blocks the event loop", "its event comes again; nothing is lost"),
  C11: row("an event kills the process", "it ends as a dead letter, and no other event does"),
  C12: row("rolling deploys", "delivery counts stay below the delivery limit"),
  C13: row("a single active consumer drains", "it never overlaps with its successor"),
  C14: row("a keyed event is retried", "its lane waits"),
  C15: row("events are returned", "order never depends on it: they are given back by closing the channel"),
  C16: row("cancel and consume again at once", "a fresh channel and tag"),
  C17: row("a subscriber is slow", "held deliveries are bounded by prefetch"),
  C18: row("a handler publishes during the drain", "its publish is let through"),
  C19: row(
    "an event fails forever at the head of a lane",
    "it is retried within bounds, then dead-lettered; the lane goes on"
  ),
  T1: row("an object exists with other arguments", "one error that names entity, argument, both values and the remedy"),
  T2: row("no permission to configure", '`topology: "verify"` needs none'),
  T3: row("an exchange plugin is missing", "no plugin is needed"),
  T4: row(
    "the dead-letter exchange is missing, dead-lettering at most once",
    "it is declared before the queue that uses it"
  ),
  T5: row(
    "the dead-letter exchange is missing, dead-lettering at least once",
    "it is declared before the queue that uses it"
  ),
  T6: row("a dead-letter queue refuses", "it has no length limit; dead letters are held, not lost"),
  T7: row(
    "a queue of the delay ladder is missing",
    "the copy is not stored, so the original is not acknowledged; the queue is declared again"
  ),
  T8: row("a short delay behind a long one", "delays do not block each other"),
  T9: row("a cycle of expiring queues", "none is declared; copies are built without x-death"),
  T10: row(
    "a removed subscriber leaves its queue",
    "nothing is deleted automatically; health reports its depth while the subscriber runs"
  ),
  T11: row("a pattern was narrowed", "events that no longer match are acknowledged and counted"),
  T12: row("two versions run side by side", "arguments never change; a difference is one clear error"),
  M1: row(
    "invalid JSON, wrong schema, unknown type or version",
    "dead-lettered at once with the path; a newer version waits"
  ),
  M2: row("a huge body", "dead-lettered unparsed"),
  M3: row("deep nesting", "a depth limit refuses it before parsing"),
  M4: row("a `__proto__` key", "it reaches no prototype and forges no header"),
  M5: row("invalid UTF-8", "dead-lettered, bytes unchanged"),
  M6: row("numbers that JSON rounds", "integers are refused, on other numbers the schema decides"),
  H1: row("failure, defect, interruption, timeout", "each is a failed attempt; an interruption by the drain is none"),
  H2: row("a handler never returns", "it is abandoned: counted, visible, bounded"),
  H3: row("half of the effects, then a retry", "the handler gets a stable id and the attempt"),
  R1: row("the dead-letter copy is not stored", "the original is not acknowledged"),
  R2: row("a crash between copy and ack", "a duplicate with the same id"),
  R3: row("a dependency is down and all retries run out", "pausing or a breaker keeps the attempts"),
  R4: row("the process ends during a wait", "the rest of the wait goes to the broker"),
  R5: row(
    "dead letters are replayed",
    "attempts start again, history is kept, the replay is bounded by what was there"
  ),
  R6: row("a replay is killed midway", "nothing is lost; it can go on"),
  D1: row("Redis is down", "publishing goes on; reads fail fast"),
  D2: row("Redis hangs", "a deadline; only commands that may be applied twice"),
  D3: row("Redis refuses", "classified: heals by itself, or needs an operator"),
  D4: row(
    "the connection breaks under a command",
    "the client does not send it again, or it is harmless when applied twice"
  ),
  D5: row("Redis loses its data", "at worst a duplicate or a missing last value"),
  D6: row("a process claims an event and crashes", "the lease ends and the event is handled"),
  D7: row(
    "a done mark without the name of the subscriber",
    "claims and done marks belong to namespace, subscriber and event"
  ),
  D8: row("Redis is back after an outage", "jitter, no offline queue, one probe first"),
  D9: row("Redis is slow", "it is off the path of a publish"),
  S1: row("SIGTERM while busy", "finish, settle, close; exit 0"),
  S2: row("SIGTERM while the broker hangs or is gone", "every close has a deadline"),
  S3: row("Effect's own `runMain`", "exit codes of our own: 0, 1, and 1 at once at the second signal"),
  S4: row("SIGTERM while connecting or declaring", "nothing appears afterwards"),
  S5: row("subscribing again and again", "nothing grows"),
  O1: row("telemetry throws", "it changes nothing for events"),
  O2: row("clocks jump", "order and delays hold; durations are not negative"),
  O3: row("TLS fails", "an error of its own with the remedy; never a fallback to plaintext"),
  O4: row("foreign errors contain secrets", "never logged, never nested"),
  O5: row("channels are used up", "channels are pooled; none leaks"),
  O6: row("credentials change", "they are read at each connect"),
  N1: row("returning by nack while a consumer is registered", "never: an event would lose all its lives in a second"),
  N2: row("looking at dead letters", "as often as you like"),
  N3: row("a copy that carries x-death", "copies are built anew, never forwarded"),
  N4: row("a delayed publish", "it reaches every queue that is bound when it is due"),
  N5: row("the queue of one subscriber refuses", "other retries pass while few are stuck; the canary reports it"),
  N6: row("events beside one that kills its process", "they are not dead-lettered with it"),
  N7: row("keyed order with replicas and repeated sends", "one active consumer; repeats keep the original order"),
  N8: row("followers of a lane that waits", "bounded: LaneFull, LaneTooSlow"),
  N9: row("acks in batches", "no settlement waits for another"),
  N10: row("outcomes of a publish", "they exclude each other; after a lost answer Confirmed or Unknown"),
  N11: row("one of two copies with the same id is returned", "returns are matched by exchange, key and id"),
  N12: row(
    "the in-flight limit is full of copies, or the bus drains",
    "events and copies have separate limits; handlers may publish until they are done"
  ),
  N13: row("cost of importing the package", "clients are loaded when a layer needs them"),
  N14: row("exit codes and the drain budget", "each phase has its own deadline"),
  N15: row("names", "namespaced, and checked"),
  N16: row("event types without a contract, and newer versions", "skipped and counted; postponed"),
  N17: row("claims and done marks", "a lease, then a done mark by its holder"),
  N18: row("waits below a second", "they hold no permit, and at most half of the window"),
  N19: row("when a retry runs", "never earlier than its Schedule says"),
  N20: row("`Later`", "counted, bounded, not an attempt"),
  N21: row("a watchdog restarts a healthy subscriber", "progress is defined"),
  N22: row("announcing a dead letter fails", "never announced for a bus.* event"),
  N23: row("a live stream", "an ephemeral subscriber: at-least-once (P3) does not cover it"),
  N24: row("connection settings", "several servers, credentials that are read at each connect"),
  N25: row(
    "foreign exchanges and queues",
    "not offered",
    "left out: the library binds to nothing that it did not declare"
  ),
  N26: row(
    "forged headers",
    "the body is believed where its type is its route; bus-* headers only from the runtime itself"
  ),
  N27: row("a Schedule is replayed by attempt number", "it is stepped from the first attempt, with real elapsed time"),
  N28: row("delayed or future events in the cache", "they are not cached before they happen"),
  N29: row(
    "Effect's Redis over ioredis",
    "one slot for each store",
    "not built yet: no store of Effect runs on our client"
  ),
  N30: row("numbers that AMQP cannot give", "ready count, and age of held events"),
  N31: row('`topology: "verify"`', "existence is checked, and the log says that no more is"),
  N32: row("bytes on the way in", "prefetch, and 64 MiB of bodies per consumer, parked ones included"),
  N33: row("abandoned handlers", "bounded, then Failed; keyed: never overlapped"),
  N34: row("limits of at-least-once (P3)", "queues deleted by hand are declared again"),
  N35: row("the test clock", "`settle` moves it to the next due time"),
  N36: row("types that users meet", "inferred; a gap of versions is a type error"),
  N37: row("names that collide with globals", "the lint refuses a use of the global `Event`; an import may rename it"),
  N38: row("permission to publish", "the contract is checked; the boundary is the user of the broker"),
  N39: row("words that contradict each other", "-", "decisions about wording: nothing runs"),
  N40: row("what was left out", "-", "a list of what is not built: nothing runs")
}

function row(trigger: string, required: string, reason?: string): Row {
  return { trigger, required, ...(reason !== undefined && { reason }) }
}
