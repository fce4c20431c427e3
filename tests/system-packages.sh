#!/usr/bin/env bash
# Installs the programs that the tests drive: a browser, FFmpeg, an MQTT broker, nginx, and what makes a TypeScript client.
# A machine without apt or without the rights keeps what it has; tests that miss a program skip and say which.
set -u
need=()
command -v chromium  >/dev/null || need+=(chromium)
command -v ffmpeg    >/dev/null || need+=(ffmpeg)
command -v mosquitto >/dev/null || need+=(mosquitto)
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || need+=(nginx-light)
command -v node      >/dev/null || need+=(nodejs)
command -v npm       >/dev/null || need+=(npm)
if [ ${#need[@]} -gt 0 ]; then
  if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    # nginx must not begin to serve on this machine: the tests start their own.
    apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null \
      || echo "apt-get could not install: ${need[*]}; the tests that need them will skip" >&2
  else
    echo "not installed (needs apt-get and root): ${need[*]}; the tests that need them will skip" >&2
  fi
fi
if command -v npm >/dev/null; then
  npm ci --silent --no-audit --no-fund --prefix "$(dirname "$0")/service/clients" \
    || echo "npm could not install what makes a TypeScript client; its test will skip" >&2
fi
exit 0
