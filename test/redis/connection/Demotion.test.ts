/** When a connection to a server that became a replica is left. */
import { assert, it } from "@effect/vitest"
import * as Demotion from "../../../src/redis/connection/Demotion.ts"

const readOnly = new Error("READONLY You can't write against a read only replica.")

it("D3: READONLY of any server is a reason to connect anew, and no other reply is", () => {
  const replies: ReadonlyArray<readonly [string, boolean]> = [
    [readOnly.message, true],
    ["READONLY You can't write against a read only replica. script: 6b1b, on @user_script:2.", true],
    ["ERR Error running script (call to f_6b1b): @user_script:2: -READONLY You can't write against a replica.", true],
    ["WRONGTYPE Operation against a key holding the wrong kind of value: READONLY", false],
    ["NOPERM this user has no permissions to run the 'readonly' command", false],
    ["OOM command not allowed", false]
  ]
  for (const [message, isReason] of replies)
    assert.strictEqual(Demotion.make(() => 0).leaves(new Error(message)), isReason, message)
})

it("D3: an address that leads to a replica for good is dialled less and less often; after a calm at once again", () => {
  let now = 0
  const { leaves } = Demotion.make(() => now)
  const dials: Array<number> = []
  for (; now < 120_000; now += 10) if (leaves(readOnly)) dials.push(now)
  assert.deepStrictEqual(dials.slice(0, 6), [0, 250, 750, 1_750, 3_750, 7_750])
  assert.isAtMost(dials.length, 21)
  assert.isAtMost(Math.max(...dials.map((at, i) => at - (dials[i - 1] ?? at))), 8_000)
  now += 60_001
  assert.isTrue(leaves(readOnly))
  now += 250
  assert.isTrue(leaves(readOnly))
})
