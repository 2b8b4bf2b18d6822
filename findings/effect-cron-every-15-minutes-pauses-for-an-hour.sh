#!/usr/bin/env bash
# Effect 4.1.0, Cron, seen 2026-12-01: in a time zone whose clocks are set back, "every 15 minutes" pauses for an hour.
#
# When the hour from 2:00 to 3:00 comes twice, a cron that names a time of it should run once, and one that names no hour, such
# as */15 * * * *, should go on: that is what cron of Debian and systemd timers do, since nobody means 2:15 with it. `Cron.parse`
# takes each local time once for both, by its default `onDstOverlap: "earlier"`: the second hour has no run at all. With
# "both" the hour is filled, and a cron that names 2:15 runs twice: neither setting is right for both, so the caller has to
# look whether the expression names an hour.
#
# Seen, from 00:30Z of 2026-10-25 in Europe/Berlin:
#   */15 * * * * earlier: 00:45 02:00 02:15
#   */15 * * * * both:    00:45 01:00 01:15
#   15 2 * * * both: 00:15 01:15
#
# Needs npm. Fails when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '{ "private": true, "type": "module" }' > package.json
npm install --silent --ignore-scripts --no-audit --no-fund effect@4.1.0

cat > look.js <<'JS'
import { Cron } from "effect"
const runs = (text, onDstOverlap, from, count) => {
  const cron = Cron.parseUnsafe(text, "Europe/Berlin", { onDstOverlap })
  const found = []
  for (let at = new Date(from); found.length < count; ) {
    at = Cron.next(cron, at)
    found.push(at.toISOString().slice(11, 16))
  }
  return found.join(" ")
}
const seen = [
  runs("*/15 * * * *", undefined, "2026-10-25T00:30:00Z", 3),
  runs("*/15 * * * *", "both", "2026-10-25T00:30:00Z", 3),
  runs("15 2 * * *", "both", "2026-10-24T23:00:00Z", 2)
]
console.log(`*/15 * * * * earlier: ${seen[0]}\n*/15 * * * * both:    ${seen[1]}\n15 2 * * * both: ${seen[2]}`)
process.exit(seen.join() === "00:45 02:00 02:15,00:45 01:00 01:15,00:15 01:15" ? 0 : 1)
JS
node look.js
