package transforms

import "bytes"

// panicFilter leaves the value of a Go panic that nobody caught out of what a plugin writes: it can be what a caller said.
// What it is a panic of the runtime stays, and so does the stack, which holds addresses only.
type panicFilter struct {
	left int // lines that may still be of the value
}

// panicLines bounds the lines of a value: a plugin may also only talk of a panic.
const panicLines = 50

var (
	panicStart   = []byte("panic: ")
	runtimePanic = []byte("runtime error: ")
	valueOut     = []byte("panic: (its value is left out of the log)")
)

// pass returns what may be logged of a line, nil for nothing.
func (f *panicFilter) pass(line []byte) []byte {
	if value, ok := bytes.CutPrefix(bytes.TrimLeft(line, "\t "), panicStart); ok {
		if bytes.HasPrefix(value, runtimePanic) {
			return line
		}
		f.left = panicLines
		return valueOut
	}
	if f.left == 0 {
		return line
	}
	if bytes.HasPrefix(line, []byte("goroutine ")) || bytes.HasPrefix(line, []byte("[signal ")) || bytes.HasPrefix(line, []byte("{")) {
		f.left = 0
		return line
	}
	f.left--
	return nil
}
