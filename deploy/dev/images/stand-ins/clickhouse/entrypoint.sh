#!/bin/sh
# Sets up the user that the variables name and starts the server; anything else is run as it is.
set -eu
data=/var/lib/clickhouse
users=/etc/clickhouse-server/users.d/default-user.xml

case ${1---} in
  --*) ;;
  *) exec "$@" ;;
esac

# A folder that was mounted belongs to whoever made it.
run=
if [ "$(id -u)" = 0 ]; then
  if [ "${CLICKHOUSE_DO_NOT_CHOWN:-0}" != 1 ] && [ "$(stat -c %u "$data")" != 101 ]; then
    chown -R clickhouse:clickhouse "$data"
  fi
  run='setpriv --reuid=101 --regid=101 --clear-groups --'
fi

name=${CLICKHOUSE_USER:-default}
password=${CLICKHOUSE_PASSWORD-}
[ ! -f "${CLICKHOUSE_PASSWORD_FILE-}" ] || password=$(cat "$CLICKHOUSE_PASSWORD_FILE")
management=${CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT:-0}
# The engine's own session is of the user `default` and knows no password, so this user cannot be given one or removed.
# It is let in from inside the container only as soon as there is another.
only_inside='<default><networks replace="replace"><ip>127.0.0.1</ip><ip>::1</ip></networks></default>'
if [ "${CLICKHOUSE_SKIP_USER_SETUP:-0}" = 1 ]; then
  :
elif [ "$name" = default ] && { [ -n "$password" ] || [ "$management" != 0 ]; }; then
  echo 'this stand-in for ClickHouse cannot change its user default: set CLICKHOUSE_USER to another name' >&2
  exit 1
elif [ "$name" = default ]; then
  echo "neither CLICKHOUSE_USER nor CLICKHOUSE_PASSWORD is set: the user default is let in from inside only" >&2
  echo "<clickhouse><users>$only_inside</users></clickhouse>" > "$users"
else
  hash=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)
  cat > "$users" << END
<clickhouse>
  <users>
    $only_inside
    <$name>
      <password_sha256_hex>$hash</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>$management</access_management>
    </$name>
  </users>
</clickhouse>
END
fi

if [ -n "$(ls /docker-entrypoint-initdb.d)" ]; then
  echo 'this stand-in for ClickHouse runs nothing of /docker-entrypoint-initdb.d' >&2
  exit 1
fi

set -- -- "$@"
[ -z "${CLICKHOUSE_DB-}" ] || set -- --first "CREATE DATABASE IF NOT EXISTS $CLICKHOUSE_DB" "$@"
# The engine must not get the container's standard input.
# shellcheck disable=SC2086 # a list of words
exec $run node /opt/clickhouse/clickhouse-server.ts --path "$data" --config "$CLICKHOUSE_CONFIG" \
  --listen HTTP --listen TCP "$@" < /dev/null
