#!/bin/sh
# Prepares a new PostgreSQL for appointd: roles with passwords, and the database. `migrate` does the rest.
set -eu

run() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" "$@"; }

run --dbname postgres --file /setup/roles.sql
run --dbname postgres --file /setup/create_database.sql
run --dbname appointd --file /setup/database.sql

password() { # role, password
    echo "alter role $1 password :'password'" | run --dbname postgres --set password="$2"
}
password appointd_owner "$APPOINTD_OWNER_PASSWORD"
password appointd_api "$APPOINTD_API_PASSWORD"
password appointd_door "$APPOINTD_DOOR_PASSWORD"
password appointd_worker "$APPOINTD_WORKER_PASSWORD"
password appointd_auditor "$APPOINTD_AUDITOR_PASSWORD"
