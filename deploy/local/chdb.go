package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// serveChdb turns this process into a ClickHouse server: it loads libchdb.so (no cgo) and hands it a command line.
// It returns when the engine ends, which it does in order once standard input is closed: the last query of the
// command line reads from it.
func serveChdb(args []string) error {
	if len(args) < 2 {
		return errors.New("chdb: want a library and its arguments")
	}
	lib, err := purego.Dlopen(args[0], purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return fmt.Errorf("load %s: %w", args[0], err)
	}
	var query func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	purego.RegisterLibFunc(&query, lib, "chdb_query_cmdline")

	argv := cStrings(append([]string{"clickhouse"}, args[1:]...))
	result := query(int32(len(argv)-1), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(argv)
	if result == nil {
		return errors.New("ClickHouse ended without a result")
	}
	_, err = io.WriteString(os.Stderr, "ClickHouse ended in order\n")
	return err
}

// cStrings makes a C argument vector, closed by a nil. The caller keeps it alive while C reads it.
func cStrings(args []string) []*byte {
	out := make([]*byte, 0, len(args)+1)
	for _, a := range args {
		b := append([]byte(a), 0)
		out = append(out, &b[0])
	}
	return append(out, nil)
}
