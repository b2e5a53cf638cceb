// Command score measures redaction on labelled calls: it sends every call of a folder through the built program with the
// real redact-pii process and prints a table.
//
//	go run ./transforms/redact/score -postcall bin/postcall FOLDER
//
// FOLDER holds *.jsonl files, one call a line: {"id", "source", "variant", "style", "callerName", "mentionedEmail",
// "customerPhoneNumber", "turns": [{"role", "content", "spans": [{"start", "end", "type", "group"}]}]}. Offsets count
// Unicode code points; a span of type IGNORE counts neither way. Only letters and digits are judged.
//
//	recall     values every letter and digit of which is gone
//	precision  of the letters and digits that are gone, those that were in a value
//	over       of the letters and digits outside values, those that are gone
//	clean      calls in which no value leaks
//	split      values said over several turns of which no part leaks
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
)

// call is a labelled call.
type call struct {
	ID      string `json:"id"`
	Source  string `json:"source"`
	Variant string `json:"variant"`
	Style   string `json:"style"`
	Name    string `json:"callerName,omitempty"`
	Email   string `json:"mentionedEmail,omitempty"`
	Phone   string `json:"customerPhoneNumber,omitempty"`
	Turns   []turn `json:"turns"`
	file    string
}

type turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
	Spans   []span `json:"spans,omitempty"`
}

type span struct {
	Start int    `json:"start"`
	End   int    `json:"end"`
	Type  string `json:"type"`
	Group string `json:"group,omitempty"`
}

// UnmarshalJSON takes a group that is a number as well.
func (s *span) UnmarshalJSON(b []byte) error {
	var v struct {
		Start, End int
		Type       string
		Group      any
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	s.Start, s.End, s.Type = v.Start, v.End, v.Type
	if v.Group != nil {
		s.Group = fmt.Sprint(v.Group)
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	program := flag.String("postcall", "bin/postcall", "the built program, its plugins beside it")
	flag.Parse()
	if err := score(ctx, *program, flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "score:", err)
		os.Exit(1)
	}
}

func score(ctx context.Context, program string, folders []string, out io.Writer) error {
	if len(folders) == 0 {
		return fmt.Errorf("name a folder of labelled calls (*.jsonl)")
	}
	var calls []call
	for _, f := range folders {
		cs, err := read(f)
		if err != nil {
			return err
		}
		calls = append(calls, cs...)
	}
	redacted, err := redact(ctx, program, calls)
	if err != nil {
		return err
	}
	t := newTable()
	for i := range calls {
		t.add(&calls[i], redacted[calls[i].ID])
	}
	return t.print(out)
}

func read(folder string) ([]call, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no *.jsonl file", folder)
	}
	var calls []call
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(bytes.NewReader(data))
		for d.More() {
			c := call{file: filepath.Base(file)}
			if err := d.Decode(&c); err != nil {
				return nil, fmt.Errorf("%s, call %d: %w", file, len(calls)+1, err)
			}
			calls = append(calls, c)
		}
	}
	return calls, nil
}

// redact runs the calls through the program and returns their turns by id.
func redact(ctx context.Context, program string, calls []call) (map[string][]turn, error) {
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, c := range calls {
		turns := make([]turn, len(c.Turns))
		for i, t := range c.Turns {
			turns[i] = turn{Role: t.Role, Content: t.Content}
		}
		if err := enc.Encode(map[string]any{
			"callId": c.ID, "callerName": c.Name, "mentionedEmail": c.Email, "customerPhoneNumber": c.Phone, "transcript": turns,
		}); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, program, "transform")
	cmd.Env = append(os.Environ(), "POSTCALL_TRANSFORMS=redact-pii")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s transform: %w", program, err)
	}
	byID := map[string][]turn{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e struct {
			CallID     string `json:"callId"`
			Transcript []turn `json:"transcript"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, err
		}
		byID[e.CallID] = e.Transcript
	}
	return byID, lines.Err()
}
