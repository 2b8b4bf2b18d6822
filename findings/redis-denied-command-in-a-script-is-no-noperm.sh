#!/usr/bin/env bash
# Redis 7.0.15 and 8.0.2, seen 2026-11-29: what an ACL denies to a script is not answered with NOPERM.
#
# A user who lacks a command gets an error that begins with NOPERM, and clients go by that word. When a script of the same
# user calls the command, one expects the same word. The answer begins with ERR, and its text is another one in each
# version: who looks for NOPERM, or for the text of one version, takes a missing right for a fault of the script.
#
# Seen (Valkey 9.1.2 answers as Redis 8 does):
#   7.0.15 direct: NOPERM this user has no permissions to run the 'time' command
#   7.0.15 script: ERR The user executing the script can't run this command or subcommand
#   8.0.2 direct: NOPERM User reader has no permissions to run the 'time' command
#   8.0.2 script: ERR ACL failure in script: User reader has no permissions to run the 'time' command
#
# As root on Debian, with mmdebstrap: each server runs in a root of its own in the temporary folder. Fails when that changes.
set -euo pipefail
folder=$(mktemp -d)
server=""
stop() {
  [ -z "$server" ] || { kill -9 "$server" 2> /dev/null; wait "$server" 2> /dev/null; } || true
  rm -rf --one-file-system "$folder"
}
trap stop EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' | head -1)
ask() { chroot "$root" redis-cli -s /tmp/redis.sock --user reader --pass x --no-auth-warning "$@" 2>&1 | head -1; }

look() {
  local suite=$1 version=$2 words=$3
  root="$folder/$suite"
  mmdebstrap --quiet --variant=apt --mode=root --include=redis-server \
    --essential-hook='printf "#!/bin/sh\nexit 101\n" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
    "$suite" "$root" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$folder/$suite.log" 2>&1
  case "$(dpkg-query --root "$root" -W -f '${Version}' redis-server)" in *:"$version"-*) ;; *) echo "not $version"; exit 1 ;; esac
  chroot "$root" redis-server --port 0 --unixsocket /tmp/redis.sock --save "" > "$folder/$suite.out" 2>&1 &
  server=$!
  for _ in $(seq 100); do [ -S "$root/tmp/redis.sock" ] && break; sleep 0.1; done
  chroot "$root" redis-cli -s /tmp/redis.sock ACL SETUSER reader on '>x' +eval > /dev/null
  local direct script
  direct=$(ask TIME)
  script=$(ask EVAL "return redis.call('TIME')" 0)
  echo "$version direct: $direct"
  echo "$version script: $script"
  case "$direct" in *NOPERM*) ;; *) exit 1 ;; esac
  case "$script" in *NOPERM*) exit 1 ;; *"$words"*) ;; *) exit 1 ;; esac
  kill -9 "$server"; wait "$server" 2> /dev/null || true
  server=""
}

look bookworm 7.0.15 "can't run this command"
look trixie 8.0.2 "ACL failure in script"
