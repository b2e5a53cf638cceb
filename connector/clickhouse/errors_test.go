package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"

	"github.com/postcall/postcall/connector"
)

func TestErrorsAreOfTheirKind(t *testing.T) {
	kinds := map[error][]int32{
		connector.ErrPaused:    {16, 47, 60, 81, 497, 516},
		connector.ErrRefused:   {6, 26, 27, 38, 41, 53, 69, 70, 117, 349, 691},
		connector.ErrExhausted: {159, 241},
		nil:                    {3, 107, 164, 202, 203, 209, 210, 216, 242, 252, 285, 319, 425, 999, 1, 12345},
	}
	for want, codes := range kinds {
		for _, code := range codes {
			driver := fmt.Errorf("send: %w", &proto.Exception{Code: code, Message: "some text"})
			err := explain(context.Background(), "insert 5 rows", driver)
			for _, kind := range []error{connector.ErrPaused, connector.ErrRefused, connector.ErrTooLarge, connector.ErrExhausted} {
				if errors.Is(err, kind) != errors.Is(kind, want) {
					t.Errorf("code %d: is it %q? %t", code, kind, errors.Is(err, kind))
				}
			}
			if !strings.HasPrefix(err.Error(), "insert 5 rows: code "+fmt.Sprint(code)) {
				t.Errorf("code %d: %v", code, err)
			}
		}
	}
	// 252 has two causes, and smaller batches cure only one.
	partitions := &proto.Exception{Code: 252, Message: "Too many partitions for single INSERT block (more than 100). The limit is ..."}
	wantKind(t, explain(context.Background(), "insert", partitions), connector.ErrExhausted, "Too many partitions")

	if err := explain(context.Background(), "insert", io.EOF); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	if err := explain(context.Background(), "insert", nil); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestErrorsHoldNoData(t *testing.T) {
	for _, code := range []int32{6, 27, 53, 117, 349, 36, 12345} {
		ex := &proto.Exception{Code: code, Message: "Cannot parse 'jane@example.com' as UInt8", StackTrace: "jane@example.com"}
		for err := explain(context.Background(), "insert", ex); err != nil; err = errors.Unwrap(err) {
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), "jane") {
				t.Errorf("code %d: %v", code, err)
			}
		}
	}
	long := &proto.Exception{Code: 60, Message: strings.Repeat("ü", 1000) + "\nsecond line"}
	if got := explain(context.Background(), "insert", long).Error(); len(got) > 400 || strings.Contains(got, "second") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

func TestNamesOfCodesAreTheServers(t *testing.T) {
	l := loader(t, engine(t))
	for code, name := range dataErrors {
		if got := one[string](t, l.conn, fmt.Sprintf("SELECT errorCodeToName(%d)", code)); got != name {
			t.Errorf("code %d is %s, not %s", code, got, name)
		}
	}
}
