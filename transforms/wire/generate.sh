#!/bin/sh
# Generates this package's Go code from transform.proto, with pinned tools.
# `generate.sh check` changes nothing and fails where the code in git is not what the proto says.
set -eu
cd "$(dirname "$0")"

bin=${POSTCALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/postcall}/proto-1
mkdir -p "$bin"
install() { [ -x "$bin/$1" ] || GOBIN="$bin" GOFLAGS= go install "$2"; }
install buf github.com/bufbuild/buf/cmd/buf@v1.75.0
install protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
install protoc-gen-go-grpc google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
PATH=$bin:$PATH

buf lint
if [ "${1:-}" != check ]; then
	exec buf generate
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
buf generate -o "$out"
for f in transform.pb.go transform_grpc.pb.go; do
	diff -u "$f" "$out/$f" || { echo "transforms/wire/$f is stale: run go generate ./transforms/wire" >&2; exit 1; }
done
