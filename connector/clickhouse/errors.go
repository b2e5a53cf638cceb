package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"

	"github.com/postcall/postcall/connector"
)

// The server's error codes that mean more than "again, later".
const (
	codeNoSuchColumn      = 16
	codeUnknownIdentifier = 47
	codeTableExists       = 57
	codeUnknownTable      = 60
	codeUnknownDatabase   = 81
	codeDatabaseExists    = 82
	codeTimeoutExceeded   = 159
	codeMemoryLimit       = 241
	codeTooManyParts      = 252
	codeAccessDenied      = 497
	codeAuthFailed        = 516
)

const cureMigrate = "run: postcall migrate apply"

// serverError is an exception of the server, cut to what may be shown and logged.
type serverError struct {
	code int32
	text string
}

func (e *serverError) Error() string { return e.text }

// explain wraps a driver's error with what was done, and marks it for the sink. It returns nil for nil.
func explain(ctx context.Context, act string, err error) error {
	var ex *proto.Exception
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ex):
		return classify(act, ex)
	case ctx.Err() != nil && context.Cause(ctx) != nil: // our deadline, or the caller's reason
		return fmt.Errorf("%s: %w", act, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w", act, err)
}

func classify(act string, ex *proto.Exception) error {
	err := fmt.Errorf("%s: %w", act, &serverError{ex.Code, show(ex)})
	switch ex.Code {
	case codeNoSuchColumn, codeUnknownIdentifier, codeUnknownTable, codeUnknownDatabase:
		return connector.Paused(fmt.Errorf("%w; %s", err, cureMigrate))
	case codeAccessDenied:
		return connector.Paused(fmt.Errorf("%w; grant it to the user of POSTCALL_CLICKHOUSE_USERNAME", err))
	case codeAuthFailed:
		return connector.Paused(fmt.Errorf("%w; check POSTCALL_CLICKHOUSE_USERNAME and POSTCALL_CLICKHOUSE_PASSWORD", err))
	case codeMemoryLimit, codeTimeoutExceeded: // the server's, or the batch's own: only another attempt can tell
		return connector.Exhausted(err)
	case codeTooManyParts:
		// One code for two faults: a block over too many partitions, and merges that lag behind. Smaller batches would
		// make the second one worse.
		if strings.Contains(ex.Message, "partitions for single INSERT") {
			return connector.Exhausted(err)
		}
	}
	if dataErrors[ex.Code] != "" {
		return connector.Refused(err)
	}
	if !harmless[ex.Code] {
		// Constraints, computed columns and views of the operator can raise almost any code.
		return connector.Suspect(err)
	}
	return err
}

// dataErrors say that some value can't be read, converted or held. Their texts quote the value, so names stand for them.
var dataErrors = map[int32]string{
	6: "CANNOT_PARSE_TEXT", 26: "CANNOT_PARSE_QUOTED_STRING", 27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED", 38: "CANNOT_PARSE_DATE",
	41: "CANNOT_PARSE_DATETIME", 53: "TYPE_MISMATCH", 69: "ARGUMENT_OUT_OF_BOUND", 70: "CANNOT_CONVERT_TYPE", 117: "INCORRECT_DATA",
	72: "CANNOT_PARSE_NUMBER", 153: "ILLEGAL_DIVISION", 321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE", 349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
	395: "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO", 407: "DECIMAL_OVERFLOW", 469: "VIOLATED_CONSTRAINT", 691: "UNKNOWN_ELEMENT_OF_ENUM",
}

// Texts of other exceptions can quote data. These speak of the schema, the user or the server's state.
var harmless = map[int32]bool{
	codeNoSuchColumn: true, codeUnknownIdentifier: true, codeUnknownTable: true, codeUnknownDatabase: true,
	codeAccessDenied: true, codeAuthFailed: true,
	3: true, 107: true, codeTimeoutExceeded: true, 164: true, 202: true, 203: true, 209: true, 210: true, codeMemoryLimit: true,
	242: true, codeTooManyParts: true, 285: true, 319: true, 425: true, 999: true,
}

const maxShown = 300 // bytes of an exception's text

func show(ex *proto.Exception) string {
	s := fmt.Sprintf("code %d", ex.Code)
	if name := dataErrors[ex.Code]; name != "" {
		s += " (" + name + ")"
	}
	if !harmless[ex.Code] {
		return s
	}
	msg, _, _ := strings.Cut(ex.Message, "\n")
	msg, _, _ = strings.Cut(msg, " Maybe you meant") // other databases' tables
	if len(msg) > maxShown {
		msg = strings.ToValidUTF8(msg[:maxShown], "") + "..."
	}
	return s + ": " + strings.TrimRight(msg, " .")
}

func isCode(err error, codes ...int32) bool {
	if ex, ok := errors.AsType[*proto.Exception](err); ok {
		if slices.Contains(codes, ex.Code) {
			return true
		}
	}
	return false
}
