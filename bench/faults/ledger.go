package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"
)

// ledger is what was sent and what was acknowledged. A call's entry belongs to the one sender that delivers it.
type ledger struct {
	run    string // start of every call id
	calls  []call
	total  int                              // deliveries planned at first
	extra  int                              // and after them
	pad    int                              // bytes that every delivery is larger, and that don't compress
	poison func(i int) bool                 // which calls some stage is to refuse; they are delivered once
	pause  time.Duration                    // of a sender before each delivery, on average
	body   func(i, serial int) []byte       // instead of the usual one
	sent   atomic.Int64                     // deliveries begun
	acked  atomic.Int64                     // deliveries answered 2xx
	busy   atomic.Int64                     // answers 503
	bare   atomic.Int64                     // of them, without Retry-After
	denied atomic.Int64                     // deliveries answered 4xx
	worst  atomic.Pointer[[2]time.Duration] // longest time until a 2xx: from the first attempt, and of the attempt that had it
}

// call is one entry.
type call struct {
	attempts int // requests made, answered or not
	tried    int // the highest serial sent
	acked    int // the highest serial acknowledged; 0 for none
	denied   bool
	at       time.Time // of the last acknowledgement
}

// again is the share of deliveries, one in so many, that repeats or corrects an earlier one.
const again = 20

func newLedger(run string, deliveries int) ledger {
	n := deliveries - deliveries/again
	return ledger{run: run, calls: make([]call, n), total: deliveries, poison: func(int) bool { return false }}
}

func (l *ledger) id(i int) string { return fmt.Sprintf("%s-%06d", l.run, i) }

// again says whether call i is delivered a second time, so that the sum is total, and whether corrected.
func (l *ledger) again(i int) (yes, corrected bool) {
	extra := l.total - len(l.calls)
	if extra <= 0 {
		return false, false
	}
	every := len(l.calls) / extra
	k := i / every
	return i%every == every-1 && k < extra, k%2 == 0
}

// planned is the number of deliveries, less those that poison calls are spared.
func (l *ledger) planned() int {
	n := len(l.calls) + l.extra
	for i := range l.calls {
		if yes, _ := l.again(i); yes && !l.poison(i) {
			n++
		}
	}
	return n
}

// request is the body of a delivery.
func (l *ledger) request(i, serial int) []byte {
	if l.body != nil {
		if b := l.body(i, serial); b != nil {
			return b
		}
	}
	return l.usual(i, serial, "")
}

// usual is a believable delivery. more is put into its JSON as it is.
func (l *ledger) usual(i, serial int, more string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"callId":%q,"callStarted":"2026-11-02T15:04:05Z","duration":95,"agentName":"Riverside Auto Desk",`+
		`"callerName":"Priscilla Vandermeer","customerPhoneNumber":"+13125550142","summary":"serial %d","sentiment":"neutral","ai_success":"true",`+
		`"transcript":[{"role":"agent","content":"How can I help you?"},`+
		`{"role":"user","content":"Priscilla Vandermeer here, 312-555-0142. My visit on Thursday has to move to Friday at two."},`+
		`{"role":"agent","content":"Friday at two is free. Shall I send the receipt by e-mail?"},`+
		`{"role":"user","content":"To priscilla@example.net, please. And does the warranty cover it if you come a second time?"}]`, l.id(i), serial)
	if more != "" {
		b.WriteString("," + more)
	}
	if l.pad > 0 {
		fmt.Fprintf(&b, `,"longSummary":%q`, noise(uint64(i)<<8|uint64(serial), l.pad))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// noise is text of n bytes that compresses by little more than its small alphabet.
func noise(seed uint64, n int) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEF"
	b := make([]byte, n)
	x := seed*2862933555777941757 + 3037000493
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = letters[x&31]
		if i%9 == 8 {
			b[i] = ' '
		}
	}
	return b
}

var serialRE = regexp.MustCompile(`^serial (\d+)$`)

// serialOf reads a serial back; -1 is a content that was never sent.
func serialOf(summary string) int {
	m := serialRE.FindStringSubmatch(summary)
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return n
}
