#!/bin/sh
# Run once, when PostgreSQL's volume is new: a role that may read everything and change nothing.
set -eu
psql --quiet --set ON_ERROR_STOP=1 --set "password=$STACK_POSTGRES_READER_PASSWORD" \
  --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE surgeline_reader LOGIN PASSWORD :'password' CONNECTION LIMIT 10;
GRANT pg_read_all_data TO surgeline_reader;
ALTER ROLE surgeline_reader SET default_transaction_read_only = on;
ALTER ROLE surgeline_reader SET statement_timeout = '30s';
SQL
