#!/usr/bin/env bash
# Runs schemathesis against a running server, from the contract that the server itself serves: no 5xx, no answer that the
# contract does not name, nothing taken that it forbids, nothing refused that it allows.
#   docs/api/check.sh SCHEMATHESIS EXAMPLES
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || { kill "$pid"; wait "$pid" || true; }; rm -rf "$dir"' EXIT

# The stores are away: what is taken waits on disk.
env -i PATH="$PATH" POSTCALL_DATA_DIR="$dir/data" POSTCALL_HTTP_ADDR=127.0.0.1:0 POSTCALL_ADMIN_ADDR=127.0.0.1:0 \
	POSTCALL_WEBHOOK_SECRET=secret-of-the-contract POSTCALL_REDACT_KEY=0123456789abcdef0123456789abcdef POSTCALL_TRANSFORMS=none \
	POSTCALL_CLICKHOUSE_ADDR=127.0.0.1:1 POSTCALL_ELASTICSEARCH_URL=http://127.0.0.1:1 \
	bin/postcall serve 2>"$dir/log" &
pid=$!
url=
for _ in $(seq 100); do
	url=$(sed -n 's|.*"webhook":"\(http://[^/]*\)/.*|\1|p' "$dir/log")
	[ -n "$url" ] && break
	sleep 0.1
done
[ -n "$url" ] || { echo "postcall serve did not start:" >&2; cat "$dir/log" >&2; exit 1; }

cd "$dir" # it leaves files of its own where it runs
"$1" run "$url/docs/openapi.json" --header "Authorization: Bearer secret-of-the-contract" \
	--max-examples "$2" --generation-deterministic --no-color >"$dir/out" 2>&1 || { cut -c1-2000 "$dir/out" >&2; exit 1; }
sed -n '/SUMMARY/,$p' "$dir/out"
if grep -q panic "$dir/log"; then grep panic "$dir/log" >&2; exit 1; fi
