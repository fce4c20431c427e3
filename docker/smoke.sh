#!/usr/bin/env bash
# Smoke test of a running deployment: docker compose up -d && docker/smoke.sh CLIP.mp4
# Uploads a clip through the published port, reads live labels when the demo camera runs, kills the worker and the
# server, takes everything down and up again, and expects all of it to be still there. Needs docker, python3 and a
# clip with people; leaves the services running. Never removes a volume.
#   SMOKE_TIMEOUT   seconds for each step (default 240)
set -euo pipefail
cd "$(dirname "$0")/.."
timeout=${SMOKE_TIMEOUT:-240}
clip=${1:?usage: docker/smoke.sh CLIP.mp4}
T0=$SECONDS
say() { printf '[%3ds] %s\n' "$((SECONDS - T0))" "$*"; }
die() { say "FAILED: $*" >&2; exit 1; }
inside() { docker compose exec -T actogram "$@"; }
ask() { python3 docker/smoke.py "http://$(docker compose port actogram 8000)" --timeout "$timeout" "$@" || die "smoke.py $*"; }
container() { docker compose ps -aq actogram; }

wait_ready() {
  local end=$((SECONDS + timeout))
  until [ "$(docker inspect -f '{{.State.Status}} {{.State.Health.Status}}' "$(container)" 2>/dev/null)" = "running healthy" ] &&
    inside python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8000/readyz", timeout=5)' 2>/dev/null; do
    [ $SECONDS -lt $end ] || die "the server is not ready after $timeout s"
    sleep 1
  done
}

# The names of the processes are ours: workers carry the multiprocessing module's command line.
kill_in_container() { # PATTERN
  inside python3 - "$1" <<'PY'
import os, pathlib, signal, sys
for folder in sorted(pathlib.Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
    try:
        words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        continue
    if sys.argv[1] in words and int(folder.name) not in (1, os.getpid()):
        os.kill(int(folder.name), signal.SIGKILL)
        print(f"killed {folder.name}: {words[:90]}")
        break
else:
    sys.exit(f"no process with {sys.argv[1]!r}")
PY
}

has_demo=$([ -n "$(docker compose ps -q demo-camera 2>/dev/null)" ] && echo 1 || true)
if [ -n "$has_demo" ]; then export COMPOSE_PROFILES=${COMPOSE_PROFILES:+$COMPOSE_PROFILES,}demo; fi
labels() { if [ -n "$has_demo" ]; then ask --labels "$1"; fi; }

wait_ready
SMOKE_KEY=$(inside actogram keys create --role admin --name smoke 2>/dev/null)
export SMOKE_KEY
say "ready"

said=$(ask --upload "$clip")
job=${said%%:*}
say "uploaded: $said"
labels 20

say "the worker is killed: $(kill_in_container spawn_main)"
sleep 2
wait_ready
labels 5

restarts=$(docker inspect -f '{{.RestartCount}}' "$(container)")
say "the server is killed: $(kill_in_container 'actogram serve')"
end=$((SECONDS + 60))
until [ "$(docker inspect -f '{{.RestartCount}}' "$(container)")" != "$restarts" ]; do
  [ $SECONDS -lt $end ] || die "the restart policy did not bring the server back"
  sleep 0.5
done
wait_ready
ask --job "$job"
labels 5
say "back after both"

start=$(date +%s%N)
docker compose stop actogram 2>/dev/null
took=$((($(date +%s%N) - start) / 1000000))
status=$(docker inspect -f '{{.State.ExitCode}}' "$(container)")
[ $took -lt 20000 ] || die "SIGTERM: the server needed $took ms, more than 20 s"
case $status in 0 | 143) ;; *) die "SIGTERM: exit status $status" ;; esac
say "drained in $took ms, exit status $status"

docker compose down 2>/dev/null
docker compose up -d --no-build --pull never 2>/dev/null || die "up"
wait_ready
ask --job "$job"
labels 5
if docker compose logs actogram 2>&1 | grep 'shown once' >/dev/null; then die "a second start made a key again"; fi
inside actogram keys list | grep smoke >/dev/null || die "the key is gone"
say "PASSED: job, key and cameras survived down and up"
