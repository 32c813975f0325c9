#!/bin/sh
# Makes the namespace for Resurgo, or raises its retention. Harmless to repeat. The worker registers the search attributes itself.
# Environment: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE (default: default), RESURGO_RETENTION (default: 90d).
set -eu
namespace=${TEMPORAL_NAMESPACE:-default}
retention=${RESURGO_RETENTION:-90d}
tries=0
until temporal operator cluster health >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -ge 60 ]; then
    echo "setup-namespace: no Temporal server answers at ${TEMPORAL_ADDRESS:-127.0.0.1:7233} after $tries tries" >&2
    exit 1
  fi
  sleep 1
done
temporal operator namespace update --namespace "$namespace" --retention "$retention" ||
  temporal operator namespace create --namespace "$namespace" --retention "$retention"
