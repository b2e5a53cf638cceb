#!/usr/bin/env bash
# Runs schemathesis against a running `postcall api` over real stores with a month of made-up calls in them, from the contract
# that it serves: no 5xx, no answer that the contract does not name or whose body it does not describe, nothing taken that it
# forbids, nothing refused that it allows. The addresses of the stores are in the environment, as `bin/local up --` sets them.
#   docs/api/check_calls.sh SCHEMATHESIS EXAMPLES
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${POSTCALL_CLICKHOUSE_ADDR:?run it by make contract}" "${POSTCALL_ELASTICSEARCH_URL:?run it by make contract}"
dir=$(mktemp -d)
name=contract_$$
pids=()
clean_up() {
	for pid in "${pids[@]}"; do kill "$pid" && wait "$pid" || true; done
	curl -s -o /dev/null -u "$POSTCALL_CLICKHOUSE_USERNAME:$POSTCALL_CLICKHOUSE_PASSWORD" "$POSTCALL_TEST_CLICKHOUSE_HTTP" -d "DROP DATABASE IF EXISTS $name" || true
	curl -s -o /dev/null -X DELETE "$POSTCALL_ELASTICSEARCH_URL/${name/_/-}-v1" || true
	rm -rf "$dir"
}
trap clean_up EXIT

export POSTCALL_DATA_DIR="$dir/data" POSTCALL_HTTP_ADDR=127.0.0.1:0 POSTCALL_ADMIN_ADDR=127.0.0.1:0 POSTCALL_WEBHOOK_SECRET=secret-of-the-contract \
	POSTCALL_REDACT_KEY=0123456789abcdef0123456789abcdef POSTCALL_CLICKHOUSE_DATABASE=$name POSTCALL_ELASTICSEARCH_INDEX=${name/_/-} \
	POSTCALL_API_ADDR=127.0.0.1:0 POSTCALL_API_ADMIN_ADDR=127.0.0.1:0 POSTCALL_API_TOKENS="$dir/tokens" POSTCALL_API_RATE=10000 \
	POSTCALL_API_CLICKHOUSE_ADDR=$POSTCALL_CLICKHOUSE_ADDR POSTCALL_API_CLICKHOUSE_DATABASE=$name POSTCALL_API_ELASTICSEARCH_URL=$POSTCALL_ELASTICSEARCH_URL \
	POSTCALL_API_CLICKHOUSE_USERNAME=$POSTCALL_CLICKHOUSE_USERNAME POSTCALL_API_CLICKHOUSE_PASSWORD=$POSTCALL_CLICKHOUSE_PASSWORD \
	POSTCALL_API_ELASTICSEARCH_INDEX=${name/_/-}

# start NAME COMMAND waits until its log names an address, and prints it.
start() {
	: >"$dir/$2.log"
	bin/postcall "$2" 2>>"$dir/$2.log" &
	pids+=($!)
	for _ in $(seq 300); do
		url=$(sed -n "s|.*\"$1\":\"\(http://[^/\"]*\).*|\1|p" "$dir/$2.log")
		[ -z "$url" ] || return 0
		sleep 0.1
	done
	echo "postcall $2 did not start:" >&2
	cat "$dir/$2.log" >&2
	exit 1
}

bin/postcall migrate apply >"$dir/migrate.log"
start webhook serve
bin/postcall demo-data --calls 200 --seed 7 | bin/postcall send --url "$url/phonely/webhook" - >"$dir/send.log"
for _ in $(seq 300); do
	state=$(bin/postcall status --json)
	[ "$(grep -c '"pending": 0,' <<<"$state")" = 2 ] && grep -q '"waiting": 0' <<<"$state" && break
	sleep 0.2
done
curl -s -o /dev/null -X POST "$POSTCALL_ELASTICSEARCH_URL/${name/_/-}/_refresh"
token=$(bin/postcall api token new --name contract --scope events,calls,metrics --append "$dir/tokens")
start api api

# 422 says that parameters don't go together, or ask for too much time: a schema can't.
cat >"$dir/schemathesis.toml" <<-TOML
	[checks.positive_data_acceptance]
	expected-statuses = ["2xx", "304", "401", "403", "404", "422"]

	[checks.negative_data_rejection]
	expected-statuses = ["400", "401", "403", "404", "405", "422", "431"]
TOML
cd "$dir" # it leaves files of its own where it runs
"$1" --config-file "$dir/schemathesis.toml" run "$url/openapi.json" --header "Authorization: Bearer $token" \
	--max-examples "$2" --generation-deterministic --no-color >"$dir/out" 2>&1 || { cut -c1-2000 "$dir/out" >&2; exit 1; }
sed -n '/SUMMARY/,$p' "$dir/out"
if grep -q "a bug" "$dir/api.log"; then grep "a bug" "$dir/api.log" >&2; exit 1; fi
