#!/usr/bin/env bash
# BullMQ 6.7.0 on Redis, seen 2026-12-01: when a delayed job is due is not what its fields say.
#
# A job has `timestamp`, "when the job was created", and `delay`, "milliseconds to wait until this job can be processed". One
# expects it to be due at their sum, and a script that moves jobs elsewhere computes that. After `changeDelay`, and after each
# retry with a backoff, `delay` counts from that moment, and `timestamp` stays: the sum is too early by the age of the job, so
# that old jobs come at once. The time is only in the score of the sorted set `delayed`, divided by 4096.
#
# Seen:
#   fields say -540 s from now, the score says 60 s from now
#
# Needs npm and redis-server on the path. Fails when that changes.
set -euo pipefail
folder=$(mktemp -d)
server=""
stop() {
  [ -z "$server" ] || { kill -9 "$server" 2> /dev/null; wait "$server" 2> /dev/null; } || true
  rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
printf '{ "private": true, "type": "module" }' > package.json
npm install --silent --ignore-scripts --no-audit --no-fund bullmq@6.7.0 ioredis@5.9.2
redis-server --port 0 --unixsocket "$folder/redis.sock" --save "" > redis.log &
server=$!
for _ in $(seq 100); do [ -S redis.sock ] && break; sleep 0.1; done

cat > look.js <<'JS'
import { Queue } from "bullmq"
import { Redis } from "ioredis"
const redis = new Redis({ path: "./redis.sock", maxRetriesPerRequest: null })
const queue = new Queue("look", { connection: redis })
const now = Date.now()
// Created ten minutes ago.
const { id } = await queue.add("job", {}, { delay: 3_600_000, timestamp: now - 600_000 })
await (await queue.getJob(id)).changeDelay(60_000)
const job = await queue.getJob(id)
const seconds = (time) => Math.round((time - now) / 1000)
const fields = seconds(job.timestamp + job.delay)
const score = seconds(Number(await redis.zscore(queue.toKey("delayed"), id)) / 0x1000)
console.log(`fields say ${fields} s from now, the score says ${score} s from now`)
process.exit(fields === -540 && score >= 60 && score < 70 ? 0 : 1)
JS
node look.js
