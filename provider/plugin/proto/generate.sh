#!/bin/sh
# Regenerates the Go code of v1/provider.proto. `go generate ./provider/plugin/...` runs it.
# The two protoc plugins are installed at the versions below into a temporary directory; protoc itself must be
# there already (any 3.21 or later).
set -eu
cd "$(dirname "$0")"

GEN_GO=v1.36.12
GEN_GO_GRPC=v1.6.2

if ! command -v protoc >/dev/null 2>&1; then
	echo "generate.sh: protoc is missing. Install it, then run this again:" >&2
	echo "  Debian, Ubuntu: apt-get install protobuf-compiler    macOS: brew install protobuf" >&2
	exit 1
fi

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install google.golang.org/protobuf/cmd/protoc-gen-go@$GEN_GO
GOBIN=$bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@$GEN_GO_GRPC

PATH=$bin:$PATH protoc --go_out=. --go_opt=paths=source_relative \
	--go-grpc_out=. --go-grpc_opt=paths=source_relative v1/provider.proto
# Which protoc happened to be installed is no part of the result.
sed -i.bak '/^\/\/ .*protoc .*v[0-9]/d' v1/*.pb.go
rm -f v1/*.pb.go.bak
