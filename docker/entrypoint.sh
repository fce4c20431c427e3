#!/bin/sh
# Runs the server, or any subcommand of `actogram`, as the container's process.
# First start: an admin key is made, printed once, and only its hash is kept.
set -eu

if [ "${1:-serve}" != serve ]; then
  exec actogram "$@"
fi
shift || true

actogram keys ensure --role admin --name first-start
exec actogram serve --host "${ACTOGRAM_BIND:-0.0.0.0}" --port "${ACTOGRAM_LISTEN_PORT:-8000}" "$@"
