#!/bin/sh
# Makes or updates Temporal's two databases on PostgreSQL. Harmless to repeat; run it again with the newer tool at an upgrade.
# Environment: SQL_HOST SQL_PORT SQL_USER SQL_PASSWORD; SQL_TOOL names the tool when it isn't temporal-sql-tool.
set -eu
tool=${SQL_TOOL:-temporal-sql-tool}
export SQL_PLUGIN=postgres12
for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%%:*}
  schema=${pair##*:}
  # Version 0.0 only for a database that was made just now: on one in use it would have the updates run a second time.
  if "$tool" --db "$database" create >/dev/null 2>&1; then
    "$tool" --db "$database" setup-schema --version 0.0
  fi
  "$tool" --db "$database" update-schema --schema-name "postgresql/v12/$schema"
done
