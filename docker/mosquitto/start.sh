#!/bin/sh
# Starts the broker with one user, whose password comes from MQTT_PASSWORD; without one it does not start.
set -eu
: "${MQTT_PASSWORD:?set MQTT_PASSWORD in .env; make secrets does it}"
folder=${MOSQUITTO_RUN:-/run/mosquitto}
umask 077
rm -f "$folder/passwords"
# The file is hashed in place, so that the password is in no command line.
printf 'actogram:%s\n' "$MQTT_PASSWORD" > "$folder/passwords"
mosquitto_passwd -U "$folder/passwords"
unset MQTT_PASSWORD
exec mosquitto -c "${1:-/mosquitto/config/mosquitto.conf}"
