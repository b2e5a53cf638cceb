#!/usr/bin/env bash
# Runs the conformance client of the Model Context Protocol against a running `postcall api`, over streamable HTTP. What can't apply
# is in mcp-conformance.yaml, with the reason. The stores are away: what it asks needs none.
#   docs/api/check_mcp.sh CONFORMANCE
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" && wait "$pid" || true; done; rm -rf "$dir"' EXIT

: >"$dir/api.log" >"$dir/proxy.log"
token=$(bin/postcall api token new --name conformance --scope events,calls,metrics --append "$dir/tokens")
env -i PATH="$PATH" POSTCALL_API_ADDR=127.0.0.1:0 POSTCALL_API_ADMIN_ADDR=127.0.0.1:0 POSTCALL_API_TOKENS="$dir/tokens" \
	POSTCALL_API_RATE=10000 POSTCALL_API_CLICKHOUSE_ADDR=127.0.0.1:1 POSTCALL_API_CLICKHOUSE_USERNAME=reader \
	POSTCALL_API_ELASTICSEARCH_URL=http://127.0.0.1:1 bin/postcall api 2>>"$dir/api.log" &
pids+=($!)

# address FILE EXPRESSION waits until a log names an address, and sets url.
address() {
	for _ in $(seq 100); do
		url=$(sed -n "s|$2|\1|p" "$1")
		[ -z "$url" ] || return 0
		sleep 0.1
	done
	echo "no address in the log:" >&2
	cat "$1" >&2
	exit 1
}
address "$dir/api.log" '.*"api":"\(http://[^/"]*\).*'
# The client can't send a token.
CALLS_TOKEN=$token node docs/api/bearer.mjs "$url" >>"$dir/proxy.log" &
pids+=($!)
address "$dir/proxy.log" '^\(http://.*\)$'

"$1" server --url "$url/mcp" --expected-failures docs/api/mcp-conformance.yaml --output-dir "$dir/results" >"$dir/out" 2>&1 ||
	{ sed -n '/SUMMARY/,$p' "$dir/out" | cut -c1-500 >&2; exit 1; }
# Each that is not listed has passed.
ran=$(grep -c '^✓ .*: [1-9][0-9]* passed, 0 failed' "$dir/out" || true)
[ "$ran" -ge 6 ] || { cat "$dir/out" >&2; echo "only $ran scenarios of MCP passed" >&2; exit 1; }
echo "MCP conformance: $ran scenarios passed, $(grep -c '^  - ' docs/api/mcp-conformance.yaml) can't apply (docs/api/mcp-conformance.yaml)"
if grep -q "a bug" "$dir/api.log"; then grep "a bug" "$dir/api.log" >&2; exit 1; fi
