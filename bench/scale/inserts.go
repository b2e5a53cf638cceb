package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// insertTarget is what an insert may cost with everything that metrics read, as a multiple of one without.
const insertTarget = 1.5

// inserts measures inserts of one block, in turns with and without the copy that metrics read, without merges in between.
func (s *server) inserts(ctx context.Context, repeats int, w io.Writer) (err error) {
	for _, name := range []string{"calls_raw", "call_facts_raw"} {
		if _, err := s.query(ctx, "SYSTEM STOP MERGES postcall."+name, nil); err != nil {
			return err
		}
		defer func() {
			_, serr := s.query(context.WithoutCancel(ctx), "SYSTEM START MERGES postcall."+name, nil)
			err = errors.Join(err, serr)
		}()
	}
	fmt.Fprintf(w, "\n| rows of an insert | without, ms | with, ms | | CPU ms without | with | | under %.1f |\n|---|---|---|---|---|---|---|---|\n", insertTarget)
	missed := error(nil)
	for _, rows := range []int{200, 2000, 20000} {
		if err := s.prepare(ctx, rows); err != nil {
			return err
		}
		with, without, err := s.turns(ctx, rows, 4*repeats)
		if err != nil {
			return err
		}
		ratio := with.seconds / without.seconds
		fmt.Fprintf(w, "| %d | %.0f | %.0f | %.2f | %.0f | %.0f | %.2f | %s |\n", rows, 1000*without.seconds, 1000*with.seconds, ratio,
			1000*without.cpu, 1000*with.cpu, with.cpu/without.cpu, verdict(ratio < insertTarget))
		if rows == 2000 && ratio >= insertTarget { // a full batch, see POSTCALL_BATCH_MAX_EVENTS
			missed = errMissed
		}
	}
	_, err = s.query(ctx, "DROP TABLE IF EXISTS postcall.scale_batch", nil)
	return errors.Join(err, missed)
}

// prepare has the rows ready in memory, so that an insert pays for nothing but itself. What the driver's client does for an
// insert is left out too.
func (s *server) prepare(ctx context.Context, rows int) error {
	body := callsSQL[strings.Index(callsSQL, "INSERT INTO"):]
	for _, q := range []string{
		"DROP TABLE IF EXISTS postcall.scale_batch",
		"CREATE TABLE postcall.scale_batch AS postcall.calls_raw ENGINE = Memory",
		strings.Replace(body, "postcall.calls_raw", "postcall.scale_batch", 1),
	} {
		set := url.Values{
			"param_from": {"1000000000"}, "param_count": {strconv.Itoa(rows)}, "param_again": {"0"}, "param_callers": {"6000000"},
			"param_end": {time.Now().UTC().Format("2006-01-02 00:00:00")},
		}
		if _, err := s.query(ctx, q, set); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) turns(ctx context.Context, rows, repeats int) (with, without took, err error) {
	b := newBar(fmt.Sprintf("Inserting %d rows", rows), repeats)
	for i := range repeats {
		t, err := s.insert(ctx)
		if err != nil {
			return with, without, err
		}
		if i > 0 { // the first one warms up
			with.least(t)
		}
		if t, err = s.insertAlone(ctx); err != nil {
			return with, without, err
		}
		without.least(t)
		b.at(i + 1)
	}
	return with, without, nil
}

// insertAlone does so without the copy.
func (s *server) insertAlone(ctx context.Context) (t took, err error) {
	if _, err := s.query(ctx, "DETACH TABLE postcall.call_facts_copy SYNC", nil); err != nil {
		return t, err
	}
	defer func() {
		_, aerr := s.query(context.WithoutCancel(ctx), "ATTACH TABLE postcall.call_facts_copy", nil)
		err = errors.Join(err, aerr)
	}()
	return s.insert(ctx)
}

// insert inserts the batch again, with the settings of the loader and a token of its own.
func (s *server) insert(ctx context.Context) (took, error) {
	return s.time(ctx, "INSERT INTO postcall.calls_raw SELECT * FROM postcall.scale_batch", url.Values{
		"async_insert": {"0"}, "optimize_on_insert": {"0"}, "max_insert_threads": {"1"}, "max_threads": {"2"},
		"min_insert_block_size_rows": {"100000000"}, "min_insert_block_size_bytes": {"0"},
		"insert_deduplication_token": {strconv.FormatInt(time.Now().UnixNano(), 36)},
	})
}
