/** What clients that number parameters by themselves need of the statements for PostgreSQL. */
import { assert, describe, it } from "vitest"
import { refused, sent } from "../../src/outbox/dialects/Dialect.ts"
import { postgres } from "../../src/outbox/dialects/Postgres.ts"

const row = { partition: 1, id: "e-1", event: "a.b", key: "k", keyHash: 7, body: "{}", meta: "{}" }
const lease = { owner: "relay", millis: 1000 }

const statements = {
  "append under the lock of a key": postgres.append(row, { locksKey: true, notifies: true }),
  "append without a key": postgres.append({ ...row, key: null }, { locksKey: true, notifies: false }),
  claim: postgres.claim(lease),
  renew: postgres.renew(lease),
  release: postgres.release("relay"),
  read: postgres.read({ partition: 1, fence: 1, heldKeys: ["k"], heldPositions: [1], limit: 10, maxBytes: 1000 }),
  markSent: postgres.markSent([1]),
  removeSent: postgres.removeSent([1]),
  setAside: postgres.setAside(1, "why"),
  status: postgres.status(10),
  refused: postgres.refused(10),
  retry: postgres.retry("e-1", 10),
  "purge of what was sent": postgres.purge(sent, 1000, 10),
  "older than": postgres.older(refused, 1000),
  mark: postgres.mark("s", "e-1"),
  purgeMarks: postgres.purgeMarks(1000, 10)
}

describe("a statement for PostgreSQL", () => {
  it.each(Object.entries(statements))("has each parameter once, in their order: %s", (_, { parameters, text }) => {
    const numbers = [...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number))
    assert.deepStrictEqual(
      numbers,
      parameters.map((_, index) => index + 1)
    )
  })
})
