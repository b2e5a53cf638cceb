package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/postcall/postcall/connector"
)

// input is one file of an import. Its position counts the bytes of the file as it is, compressed or not.
type input struct {
	name string
	file *os.File // nil of standard input
	in   io.Reader
	size int64
	from int64 // where it begins among all files
	at   atomic.Int64
}

// openInputs opens all files before the first is read, so that a name that is wrong is known at once.
func openInputs(names []string, stdin io.Reader) (inputs []*input, total int64, err error) {
	for _, name := range names {
		in := &input{name: name, in: stdin, from: total}
		inputs = append(inputs, in)
		if name == "-" {
			in.name = "stdin"
			continue
		}
		if in.file, err = os.Open(name); err != nil {
			return inputs, 0, err
		}
		info, err := in.file.Stat()
		switch {
		case err != nil:
			return inputs, 0, err
		case info.IsDir():
			return inputs, 0, fmt.Errorf("%s is a folder: name its files", name)
		}
		in.in, in.size = in.file, info.Size()
		total += in.size
	}
	return inputs, total, nil
}

func closeInputs(inputs []*input) {
	for _, in := range inputs {
		if in.file != nil {
			_ = in.file.Close()
		}
	}
}

func (in *input) Read(p []byte) (int, error) {
	n, err := in.in.Read(p)
	in.at.Add(int64(n))
	return n, err
}

// open decompresses by what the file begins with, not by its name.
func (in *input) open() (io.Reader, func(), error) {
	r := bufio.NewReaderSize(in, 1<<20)
	head, _ := r.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		return z, func() { _ = z.Close() }, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(1<<30))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return z, z.Close, nil
	}
	return r, func() {}, nil
}

// A chunk is cut by the file alone, so that a second run over it makes the same ones.
const (
	chunkRecords = 256
	chunkBytes   = 512 << 10
)

// chunks calls f with the records behind a line, until it returns false. Blank lines are none.
func (in *input) chunks(behind, maxBody int64, f func(*chunk) bool) error {
	r, done, err := in.open()
	if err != nil {
		return err
	}
	defer done()
	lines := bufio.NewReaderSize(r, 1<<20)
	c, size := &chunk{}, 0
	for n := int64(1); ; n++ {
		line, tooLong, err := readLine(lines, maxBody, n <= behind)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", n, err)
		}
		switch body := bytes.TrimSpace(line); {
		case n <= behind:
		case tooLong:
			c.records = append(c.records, connector.ImportRecord{N: n, Err: fmt.Errorf("a record of over %d bytes; raise POSTCALL_INTAKE_MAX_BODY, or leave it out", maxBody)})
		case len(body) > 0:
			c.records = append(c.records, connector.ImportRecord{N: n, Body: body})
			size += len(body)
		}
		last := errors.Is(err, io.EOF)
		if c.last = n; last {
			c.last = n - 1 // where lines are added to the file, they are read
			if len(line) > 0 || tooLong {
				c.last = n
			}
		}
		if len(c.records) >= chunkRecords || size >= chunkBytes || (last && c.last > behind) {
			if c.read = in.at.Load(); !f(c) {
				return nil
			}
			c, size = &chunk{}, 0
		}
		if last {
			return nil
		}
	}
}

// readLine returns a new slice with the next line. What is longer than limit is read over.
func readLine(r *bufio.Reader, limit int64, skip bool) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if !skip && !tooLong {
			line = append(line, part...)
			if int64(len(bytes.TrimRight(line, "\r\n"))) > limit {
				line, tooLong = nil, true
			}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}
