package clickhouse

import (
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/postcall/postcall/transforms"
)

// The kinds of columns. Each appends a typed slice at once where the driver takes it without boxing every value, and
// addresses where it would box values; BenchmarkConvert counts the allocations.

// plain is a column of numbers, times or nullable values. Each has its own pool, since there are many types.
func plain[T any](name string, value func(*transforms.Event) T) column {
	pool := sync.Pool{New: func() any { return new([]T) }}
	return column{name, func(dst driver.BatchColumn, s *scratch) error {
		vs := pool.Get().(*[]T)
		defer pool.Put(vs)
		*vs = (*vs)[:0]
		for _, e := range s.events {
			*vs = append(*vs, value(e))
		}
		err := dst.Append(*vs)
		clear(*vs)
		return err
	}}
}

// text is a String column.
func text(name string, value func(*transforms.Event) string) column {
	return column{name, func(dst driver.BatchColumn, s *scratch) error {
		s.texts = s.texts[:0]
		for _, e := range s.events {
			s.texts = append(s.texts, value(e))
		}
		return dst.Append(s.texts)
	}}
}

// dimension is a LowCardinality(String) column.
func dimension(name string, value func(*transforms.Event) string) column {
	return column{name, func(dst driver.BatchColumn, s *scratch) error {
		s.refs = s.refs[:0]
		for _, e := range s.events {
			s.refs = append(s.refs, s.intern(value(e)))
		}
		return dst.Append(s.refs)
	}}
}

var noTexts any = []*string{} // boxed once

// texts is an Array(String) column.
func texts(name string, values func(*transforms.Event) []string) column {
	return lists(name, func(e *transforms.Event, s *scratch) {
		vs := values(e)
		for i := range vs {
			s.refs = append(s.refs, &vs[i])
		}
	})
}

// dimensions is an Array(LowCardinality(String)) column; collect appends interned values to s.refs.
func dimensions(name string, collect func(*transforms.Event, *scratch)) column {
	return lists(name, collect)
}

func lists(name string, collect func(*transforms.Event, *scratch)) column {
	return column{name, func(dst driver.BatchColumn, s *scratch) error {
		for _, e := range s.events {
			s.refs = s.refs[:0]
			collect(e, s)
			row := noTexts
			if len(s.refs) > 0 {
				row = s.refs
			}
			if err := dst.AppendRow(row); err != nil {
				return err
			}
		}
		return nil
	}}
}

func appendExtra(dst driver.BatchColumn, s *scratch) error {
	for _, e := range s.events {
		if err := dst.AppendRow(&e.Extra); err != nil {
			return err
		}
	}
	return nil
}

func appendTurnWords(dst driver.BatchColumn, s *scratch) error {
	for _, e := range s.events {
		s.words = s.words[:0]
		for i := range e.Transcript {
			s.words = append(s.words, uint32(e.Transcript[i].Words))
		}
		if err := dst.AppendRow(s.words); err != nil {
			return err
		}
	}
	return nil
}
