#!/bin/sh
# The server's login, made once, when the database is new. `migrate` gives it its two roles; by itself it may do nothing.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --quiet \
  --set password="$(cat /run/secrets/database_password)" <<'SQL'
create role crm_mcp login password :'password';
SQL
