#!/usr/bin/env bash
# Installs the system programs that the end-to-end tests drive: a browser, FFmpeg, an MQTT broker.
# A machine without apt or without the rights keeps what it has; tests that miss a program skip and say which.
set -u
need=()
command -v chromium  >/dev/null || need+=(chromium)
command -v ffmpeg    >/dev/null || need+=(ffmpeg)
command -v mosquitto >/dev/null || need+=(mosquitto)
[ ${#need[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "not installed (needs apt-get and root): ${need[*]}; the tests that need them will skip" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null \
  || echo "apt-get could not install: ${need[*]}; the tests that need them will skip" >&2
exit 0
