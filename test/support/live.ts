/**
 * Test suites that need real brokers: the shared ones, which globalSetup.ts starts when the first suite needs them, or
 * nodes of their own.
 *
 * Without brokers `describeLive` reports the suite as skipped, with the reason in its name. With CI=true it fails
 * instead, so that a green build means that the brokers were there.
 *
 * A machine that stands still for seconds delays servers and processes in ways that no test foresees. With CI=true a test
 * of such a suite has a second try, and scripts/ci-summary.ts names each one that needed it. What is lost, doubled or out
 * of order is never a matter of time: suites about that have one try, as all tests have that meet no server.
 */
import { randomInt } from "node:crypto"
import { connect } from "node:net"
import { json } from "node:stream/consumers"
import { beforeAll, describe, expect, inject, it } from "vitest"
import type { Offers } from "./globalSetup.ts"
import type { Started } from "./SharedBroker.ts"

/** What a suite can need: the shared brokers, or nodes of its own, to kill, suspend or configure them. */
export type Need = keyof Offers

/** Asks globalSetup.ts, which answers on this port. */
const ask = (question: string): Promise<unknown> => {
  const socket = connect({ port: inject("brokers"), host: "127.0.0.1", allowHalfOpen: true })
  socket.end(question)
  return json(socket)
}

const offers = (await ask("offers")) as Offers

/** Suites about loss, doubles and order. */
const strict = /\/test\/(?:process|chaos|outbox|migrate)\/|\/AmqpBroker\.test\.ts$/

const tries = () =>
  process.env["CI"] === "true" && !strict.test(expect.getState().testPath ?? "")
    ? { retry: { count: 1, delay: 5_000 } }
    : {}

/**
 * `describe` for a suite that needs brokers, by default both shared ones. Name only what the suite needs: an unneeded
 * RabbitMQ is not started, which saves 5 seconds.
 */
export const describeLive = (
  name: string,
  suite: () => void,
  needs: ReadonlyArray<Need> = ["rabbit", "redis"]
): void => {
  const reasons = needs.flatMap((need) => ("missing" in offers[need] ? [`${need}: ${offers[need].missing}`] : []))
  const reason = reasons.join("; ")
  if (reasons.length === 0) {
    describe(name, tries(), () => {
      const shared = needs.filter((need) => need === "rabbit" || need === "redis")
      if (shared.length > 0) beforeAll(() => Promise.all(shared.map(awaitBroker)).then(() => {}))
      suite()
    })
  } else if (process.env["CI"] === "true") {
    describe(name, () => {
      it("has the brokers it needs", () => {
        throw new Error(`CI=true and no broker for a live suite: ${reason}`)
      })
    })
  } else {
    // The suite is not called: it may use the urls while it is collected.
    describe(name, () => it.skip(`skipped, ${reason.split("\n")[0]}`, () => {}))
  }
}

const awaitBroker = async (name: "rabbit" | "redis"): Promise<void> => {
  const { problem } = (await ask(name)) as Started
  if (problem !== undefined) throw new Error(`the shared ${name} did not start: ${problem}`)
}

/** Url of the shared RabbitMQ. It is up in the tests and hooks of a `describeLive` that needs it. */
export const rabbitUrl = (): string => urlOf("rabbit")

/** Url of the shared Redis. It is up in the tests and hooks of a `describeLive` that needs it. */
export const redisUrl = (): string => urlOf("redis")

const urlOf = (name: "rabbit" | "redis"): string => {
  const offer = offers[name]
  if ("missing" in offer) throw new Error(`no shared ${name}: ${offer.missing}`)
  return offer.url
}

/** A namespace for one suite on a shared broker: "t" and 10 random letters or digits. */
export const freshNamespace = (): string => "t" + Array.from({ length: 10 }, () => randomInt(36).toString(36)).join("")
