package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// payload is one event body out of a file, or why it can't be read.
type payload struct {
	file string
	line int // of an NDJSON file, from 1; 0 in a file that is one JSON document
	nth  int // from 1
	body []byte
	err  error
}

func (p *payload) where() string {
	if p.line > 0 {
		return fmt.Sprintf("%s line %d", p.file, p.line)
	}
	return fmt.Sprintf("%s event %d", p.file, p.nth)
}

// maxLine bounds a line of NDJSON; what is longer is refused by its number.
const maxLine = 64 << 20

// readPayloads calls f for each event of a file ("-" is stdin): a JSON document (an object, or an array of them), or
// NDJSON, told apart by whether the first line is a value of its own. The body is valid until f returns.
func readPayloads(name string, stdin io.Reader, f func(payload) error) error {
	in := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		in = file
	} else {
		name = "stdin"
	}
	r := bufio.NewReaderSize(in, 1<<20)
	var first []byte
	skipped := 0
	for {
		l, err := r.ReadBytes('\n')
		if first = bytes.TrimSpace(l); len(first) > 0 {
			break
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		skipped++
	}
	if json.Valid(first) && first[0] != '[' {
		return readLines(name, first, skipped+1, r, f)
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	whole := append(append(first, '\n'), rest...)
	if json.Valid(whole) {
		return readDocument(name, whole, f)
	}
	return readLines(name, first, skipped+1, bufio.NewReader(bytes.NewReader(rest)), f)
}

func readDocument(name string, doc []byte, f func(payload) error) error {
	events := []json.RawMessage{doc}
	if doc[0] == '[' {
		if err := json.Unmarshal(doc, &events); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	for i, e := range events {
		if err := f(payload{file: name, nth: i + 1, body: bytes.TrimSpace(e)}); err != nil {
			return err
		}
	}
	return nil
}

func readLines(name string, first []byte, line int, r *bufio.Reader, f func(payload) error) error {
	nth := 0
	for l, err := first, error(nil); ; line++ {
		if l = bytes.TrimSpace(l); len(l) > 0 {
			nth++
			p := payload{file: name, line: line, nth: nth, body: l}
			if len(l) > maxLine {
				p.body, p.err = nil, fmt.Errorf("line has over %d bytes", maxLine)
			}
			if err := f(p); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		l, err = r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s line %d: %w", name, line, err)
		}
	}
}
