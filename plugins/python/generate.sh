#!/bin/sh
# Generates the SDK's protobuf code from transforms/wire/transform.proto, with pinned tools.
# `generate.sh check` changes nothing and fails where the code in git is not what the proto says.
#
# The version of grpcio-tools decides the oldest protobuf that the code runs with (6.31.1); it runs with the next major
# version too.
set -eu
cd "$(dirname "$0")"

venv=${POSTCALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/postcall}/proto-python-1
if [ ! -f "$venv/ready" ]; then
	python3 -m venv --clear "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check grpcio-tools==1.76.0 grpcio==1.80.0 protobuf==6.33.6 setuptools==80.9.0 typing_extensions==4.16.0
	touch "$venv/ready"
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/in/postcall" "$tmp/out"
cp ../../transforms/wire/transform.proto "$tmp/in/postcall/" # its name is unique in a process that way
"$venv/bin/python" -m grpc_tools.protoc -I "$tmp/in" --python_out="$tmp/out" --pyi_out="$tmp/out" postcall/transform.proto
for f in transform_pb2.py transform_pb2.pyi; do
	if [ "${1:-}" != check ]; then
		cp "$tmp/out/postcall/$f" "src/postcall/$f"
	elif ! diff -u "src/postcall/$f" "$tmp/out/postcall/$f"; then
		echo "plugins/python/src/postcall/$f is stale: run sh plugins/python/generate.sh" >&2
		exit 1
	fi
done
