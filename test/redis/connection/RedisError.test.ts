/** Errors of Redis and the network as our reasons, never with a word of the command: no secret leaves (P14). */
import { assert, describe, it } from "@effect/vitest"
import { failure, isPassing, reasonOf } from "../../../src/redis/connection/RedisError.ts"

const secret = "hunter2"
const reply = (message: string): Error =>
  Object.assign(new Error(message), { name: "ReplyError", command: { name: "auth", args: [secret] } })
const broken = (message: string, code?: string): Error =>
  Object.assign(new Error(message), code !== undefined && { code })

describe("RedisError", () => {
  it.each([
    ["LOADING Redis is loading the dataset in memory", "Unavailable", true],
    ["CLUSTERDOWN The cluster is down", "Unavailable", true],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "Unavailable", true],
    ["BUSY Redis is busy running a script.", "Unavailable", true],
    ["TRYAGAIN Multiple keys request during rehashing of slot", "Unavailable", true],
    ["NOREPLICAS Not enough good replicas to write.", "Unavailable", true],
    ["ERR max number of clients reached", "Unavailable", true],
    [`NOPERM this user has no permissions to access one of the keys used as arguments ${secret}`, "NOPERM", true],
    [
      "ERR The user executing the script can't run this command or subcommand script: 5f2b, on @user_script:3.",
      "NOPERM",
      true
    ],
    [
      "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments script: 5f2b",
      "NOPERM",
      true
    ],
    [
      "ERR ACL failure in script: User reader has no permissions to run the 'time' command script: 5f2b, on @user_script:1.",
      "NOPERM",
      true
    ],
    ["ERR ACL failure in script: No permissions to access a key script: on @user_script:1.", "NOPERM", true],
    ["WRONGPASS invalid username-password pair or user is disabled.", "WRONGPASS", true],
    ["NOAUTH Authentication required.", "NOAUTH", true],
    ["READONLY You can't write against a read only replica.", "READONLY", true],
    ["OOM command not allowed when used memory > 'maxmemory'.", "OOM", true],
    [
      "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
      "MISCONF",
      true
    ],
    ["MOVED 3999 127.0.0.1:6381", "MOVED", true],
    ["ERR DB index is out of range", "DB", true],
    ["WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE", false],
    [`ERR unknown command '${secret}'`, "ERR", false],
    [secret, "ERR", false]
  ])("%s", (message, expected, passing) => {
    const reason = reasonOf(reply(message), "h:1")
    assert.strictEqual(reason._tag === "Refused" ? reason.code : reason._tag, expected)
    assert.strictEqual(isPassing(reason), passing)
    assert.notInclude(JSON.stringify(failure(reason)) + failure(reason).message, secret)
  })

  it.each([
    [broken("connect ECONNREFUSED 10.0.0.1:6379", "ECONNREFUSED"), "h:1: ECONNREFUSED"],
    [broken("Socket timeout. Expecting data, but didn't receive any in 2000ms."), "h:1 is silent"],
    [broken("Connection is closed."), "the connection to h:1 was lost"],
    [broken(`redis://:${secret}@h`, `redis://:${secret}@h`), "the connection to h:1 was lost"],
    [secret, "the connection to h:1 was lost"],
    [broken("self-signed certificate", "DEPTH_ZERO_SELF_SIGNED_CERT"), "TLS"],
    [broken("wrong version number", "ERR_SSL_WRONG_VERSION_NUMBER"), "TLS"]
  ])("%s", (error, expected) => {
    const reason = reasonOf(error, "h:1")
    assert.strictEqual(reason._tag === "Refused" ? reason.code : reason.detail, expected)
  })
})
