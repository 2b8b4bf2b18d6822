/**
 * The failures that this library must survive, by id: what goes wrong, and what is required then. Tests
 * name the rows that they guard at the beginning of their titles ("PUB5, P4: …"); `coverage.ts` joins the
 * two into COVERAGE.md.
 *
 * `reason` is for what no test here can show, and says why.
 */
export interface Row {
  readonly trigger: string
  readonly required: string
  readonly reason?: string
}

export const rows: Readonly<Record<string, Row>> = {
  // -- publishing -----------------------------------------------------------------------------------
  PUB1: row(
    "the broker is killed with publishes in flight",
    "Unknown or sent again with the same id; confirmed is stored"
  ),
  PUB2: row("a confirm is lost", "Unknown, or sent again with the same id; the duplicate has that id"),
  PUB3: row("a half-open connection", "detected by heartbeats; the publish deadline does not depend on it"),
  PUB4: row("connecting to a frozen broker", "a deadline for the whole attempt"),
  PUB5: row("memory or disk alarm", "publishes wait, then Overloaded; health tells"),
  PUB6: row("a blocked connection that also consumes", "publishing and consuming have a connection each"),
  PUB7: row("closing while blocked", "what is open is Unknown, and told"),
  PUB8: row("nobody is bound", "routed: false, or Unroutable when mandatory"),
  PUB9: row("an exchange is missing", "declared again once, then sent again"),
  PUB10: row("a full queue rejects", "Rejected; other queues of the fan-out may have it"),
  PUB11: row("a queue that drops at its head", "never declared by us"),
  PUB12: row("a body above the broker's limit", "refused before the wire; neighbours are not hurt"),
  PUB13: row("a header value that AMQP cannot carry", "Invalid before the wire"),
  PUB14: row("a property that AMQP cannot carry", "Invalid before the wire"),
  PUB15: row("the socket does not take more", "bounded by count and bytes; then Overloaded"),
  PUB16: row("the virtual host is missing or forbidden", "its own error, not retried fast"),
  PUB17: row("the wrong password", "its own error, fails the start"),
  PUB18: row("the broker closes the connection by force", "connects again"),
  PUB19: row("all clients reconnect at once", "full jitter, a cap, reset only after being healthy"),
  PUB20: row("a publisher dies between confirm and its own books", "published again with the same id"),
  PUB21: row("a publisher's own dedupe mark before the confirm", "a mark never suppresses what was not confirmed"),
  PUB22: row("a frame that is too large", "frame sizes are left alone; tables are checked before the wire"),
  PUB23: row("one subscriber's binding is missing on a fan-out", "declared again by its subscriber"),
  PUB24: row("publishing before anybody subscribes", "routed: false tells it"),
  // -- consuming ------------------------------------------------------------------------------------
  C1: row("a process dies between handling and ack", "handled again, with the same id"),
  C2: row("an ack after a reconnect", "dropped and counted: it belongs to a channel that is gone"),
  C3: row("a delivery is settled twice", "settled once, the second is counted"),
  C4: row("the broker's consumer timeout", "the subscriber consumes again, nothing is lost"),
  C5: row("the queue is deleted under its consumer", "declared and consumed again"),
  C6: row("no prefetch", "always a prefetch"),
  C7: row("a throw in the delivery callback", "cannot happen: it only enqueues"),
  C8: row("no error listener", "listeners before the first await"),
  C9: row("deliveries after cancel was asked", "held, not started, given back"),
  C10: row("a handler that blocks the event loop", "its event comes again; nothing is lost"),
  C11: row("an event that kills the process", "ends as a dead letter alone"),
  C12: row("rolling deploys", "returns stay below the delivery limit"),
  C13: row("a single active consumer drains", "no overlap with its successor"),
  C14: row("order on retry", "the lane waits"),
  C15: row("order on return", "never relied on, given back by closing the channel"),
  C16: row("cancel and consume again at once", "a fresh channel and tag"),
  C17: row("a slow subscriber", "what is held is bounded by prefetch"),
  C18: row("a handler publishes during the drain", "its publish is let through"),
  C19: row("poison at the head of a lane", "bounded, then dead-lettered; the lane goes on"),
  // -- topology -------------------------------------------------------------------------------------
  T1: row("other arguments on the broker", "one error that names entity, argument, both values and the remedy"),
  T2: row("no permission to configure", "topology: verify"),
  T3: row("an exchange plugin is missing", "no plugin is needed"),
  T4: row("the dead-letter exchange is missing, at most once", "declared before the queue that uses it"),
  T5: row("the dead-letter exchange is missing, at least once", "declared before the queue that uses it"),
  T6: row("a dead-letter queue that refuses", "no length limit on it; held, not lost"),
  T7: row("a retry queue is missing", "the copy is not stored, the original not acknowledged; declared again"),
  T8: row("a short delay behind a long one", "no blocking between delays"),
  T9: row("a cycle of expiring queues", "none is declared; copies are built without x-death"),
  T10: row(
    "a removed subscriber leaves its queue",
    "nothing is deleted by itself; health tells its depth while it runs"
  ),
  T11: row("a pattern was narrowed", "what was not asked for is acknowledged and counted"),
  T12: row("two versions side by side", "arguments are frozen; a difference is one clear error"),
  // -- messages -------------------------------------------------------------------------------------
  M1: row(
    "invalid JSON, wrong schema, unknown type or version",
    "dead-lettered at once with the path; a newer version waits"
  ),
  M2: row("a huge body", "dead-lettered unparsed"),
  M3: row("deep nesting", "refused by a depth limit before parsing"),
  M4: row("a __proto__ key", "reaches no prototype, forges no header"),
  M5: row("invalid UTF-8", "dead-lettered, bytes unchanged"),
  M6: row("numbers that JSON bends", "the schema decides"),
  // -- handlers -------------------------------------------------------------------------------------
  H1: row("failure, defect, interruption, timeout", "each is a failed attempt; an interruption by the drain is none"),
  H2: row("a handler that never returns", "a zombie: counted, visible, bounded"),
  H3: row("half of the effects, then a retry", "the handler gets a stable id and the attempt"),
  // -- retries and dead letters ---------------------------------------------------------------------
  R1: row("the dead-letter copy is not stored", "the original is not acknowledged"),
  R2: row("a crash between copy and ack", "a duplicate with the same id"),
  R3: row("everything is retried out while a dependency is down", "pause instead of burning attempts"),
  R4: row("the end comes during a wait in the process", "handed to the broker with what remains"),
  R5: row("replay of dead letters", "attempts start again, history is kept, bounded by what was there"),
  R6: row("a replay is killed midway", "nothing is lost; it can go on"),
  // -- Redis ----------------------------------------------------------------------------------------
  D1: row("Redis is down", "publishing does not care; reads fail fast"),
  D2: row("Redis hangs", "a deadline; only commands that may be applied twice"),
  D3: row("Redis refuses", "classified: heals by itself, or needs an operator"),
  D4: row("the connection breaks under a command", "not sent again by the client, or harmless when applied twice"),
  D5: row("Redis forgets", "at worst a duplicate or a missing last value"),
  D6: row("a claim, then a crash", "the lease ends and the event is handled"),
  D7: row("a mark without the subscriber's name", "marks belong to namespace, subscriber and event"),
  D8: row("Redis is back after an outage", "jittered, no offline queue, one probe first"),
  D9: row("Redis is slow", "off the path of a publish"),
  // -- start and end --------------------------------------------------------------------------------
  S1: row("SIGTERM while busy", "finish, settle, close; exit 0"),
  S2: row("SIGTERM while the broker hangs or is gone", "every close has a deadline"),
  S3: row("Effect's runMain", "our own teardown: 0, 1, and 1 at once at the second signal"),
  S4: row("SIGTERM while connecting or declaring", "nothing appears afterwards"),
  S5: row("subscribing again and again", "nothing grows"),
  // -- surroundings ---------------------------------------------------------------------------------
  O1: row("telemetry that throws", "changes nothing for events"),
  O2: row("clocks that jump", "order and delays hold; durations are not negative"),
  O3: row("TLS that does not fit", "its own error with the remedy; never without TLS instead"),
  O4: row("secrets in foreign errors", "never logged, never nested"),
  O5: row("channels are used up", "pooled; none leaks"),
  O6: row("credentials change", "asked at each connect"),
  // -- findings -------------------------------------------------------------------------------------
  N1: row("returning by nack while a consumer is registered", "never: lives would burn in a second"),
  N2: row("looking at dead letters", "as often as one likes"),
  N3: row("a copy that carries x-death", "copies are built, never copied"),
  N4: row("a delayed publish", "reaches whoever is bound when it is due"),
  N5: row("one subscriber's queue refuses", "other retries pass while few are stuck; the canary tells"),
  N6: row("neighbours of a killer", "are not taken along"),
  N7: row("keyed order with replicas and repeated sends", "one active consumer; repeated in original order"),
  N8: row("followers of a lane that waits", "bounded: LaneFull, LaneTooSlow"),
  N9: row("acks in batches", "no settlement waits for another"),
  N10: row("outcomes of a publish", "exclusive; after a lost answer Confirmed or Unknown"),
  N11: row("a return of one of two copies with one id", "matched by exchange, key and id"),
  N12: row("the door is full of copies, or drains", "two doors; handlers may publish until they are done"),
  N13: row("what the door costs", "clients are loaded when a layer needs them"),
  N14: row("exit codes and the drain budget", "phases with their own deadlines"),
  N15: row("names", "namespaced, and checked"),
  N16: row("types nobody asked for, and newer versions", "skipped and counted; postponed"),
  N17: row("idempotency marks", "a lease, then a mark by its holder"),
  N18: row("waits below a second", "hold no permit, and at most half of the window"),
  N19: row("when a retry runs", "never earlier than its Schedule says"),
  N20: row("Later", "counted, bounded, not an attempt"),
  N21: row("a watchdog that restarts who is well", "progress is defined"),
  N22: row("an event about a dead letter that fails", "never about a bus.* event"),
  N23: row("a tail", "an ephemeral subscriber, outside of P3"),
  N24: row("connection settings", "several servers, credentials that are asked for"),
  N25: row("foreign exchanges and queues", "not offered", "left out: nothing binds to what is not ours"),
  N26: row("what is believed", "the body; bus-* headers only from the runtime itself"),
  N27: row("a Schedule replayed by attempt number", "stepped from the first attempt, with real elapsed time"),
  N28: row("what the cache knows of delayed or future events", "not before they happened"),
  N29: row(
    "Effect's Redis over ioredis",
    "one slot for each store",
    "not built yet: no store of Effect runs on our client"
  ),
  N30: row("numbers that AMQP cannot give", "ready count and age of what is held"),
  N31: row("topology: verify", "existence; it says so"),
  N32: row("bytes on the way in", "prefetch times body limit"),
  N33: row("abandoned handlers", "bounded, then Failed; keyed: never overlapped"),
  N34: row("the edges of P3", "queues deleted by hand come again"),
  N35: row("the test clock", "settle moves it to the next due time"),
  N36: row("types that users meet", "inferred; a gap of versions is a type error"),
  N37: row("names that collide with globals", "an alias at the door"),
  N38: row("who may publish", "a check of the contract; the boundary is the broker's user"),
  N39: row("words that contradict each other", "-", "decisions about wording: nothing runs"),
  N40: row("what was left out", "-", "a list of what is not built: nothing runs")
}

function row(trigger: string, required: string, reason?: string): Row {
  return { trigger, required, ...(reason !== undefined && { reason }) }
}
