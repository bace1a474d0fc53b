#!/bin/sh
# What `make up` does: everything in compose.yaml, in stages, one server after the other, so that it is also the way to
# a new version while calls come in. depends_on says the same to whoever uses compose alone, but podman before 5.6
# cannot start what depends on something that has dependencies, and an older one runs no health checks.
set -eu

# Whether "$@" succeeds within two minutes; what it prints is shown if it does not.
eventually() {
  tries=0
  until said=$("$@" 2>&1); do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { echo "$said"; return 1; }
    sleep 2
  done
}

[ -e .env ] || cp .env.example .env
"${PYTHON3:-python3}" deploy/make_secrets.py secrets
# Who names an image has built it elsewhere.
[ -n "${IMAGE:-}" ] || grep -q '^IMAGE=.' .env || $COMPOSE build server-1

$COMPOSE up --detach --no-deps postgres redis
eventually $COMPOSE run --rm --no-deps -T migrate || { echo "The database could not be migrated."; exit 1; }
[ "${PROFILE:-}" != demo ] || $COMPOSE --profile demo run --rm --no-deps -T demo || echo "So no demo data was added."
# nginx first: a server counts as there when nginx reaches it. With another server's address, or its own from before,
# that can take half a minute more than the server itself.
$COMPOSE up --detach --no-deps nginx
for server in server-1 server-2; do
  $COMPOSE up --detach --no-deps "$server"
  eventually $COMPOSE exec -T nginx wget -q -T 2 -O /dev/null "http://$server:8081/ready" \
    || { echo "$server is not ready; what comes after it was left as it is. See: $COMPOSE logs $server"; exit 1; }
done
port=${PUBLISHED_PORT:-$(sed -n 's/^PUBLISHED_PORT=//p' .env)}
echo "nginx serves on port $port. See that it works: JWT_SECRET_FILE=secrets/jwt_secret make smoke PORT=$port"
