// Package wire is the generated code of transform.proto, the format in which events pass between postcall and its
// plugins, and in which sealed batches are kept. The proto file is the documentation for authors in any language. Go code
// uses package transforms instead: its own codec writes the same bytes, faster.
package wire

//go:generate ./generate.sh
