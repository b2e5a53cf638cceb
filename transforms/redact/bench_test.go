package redact

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

func engine(t testing.TB) *Engine {
	t.Helper()
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// conversation returns a call of about n bytes of talk with now and then something to find.
func conversation(n int, values bool) Call {
	c := Call{CallerName: "Maria H. Hernández", Email: "maria.h@example.com", Phone: "+14155557777"}
	talk := []string{
		"Thank you for calling, this call may be recorded for quality. How can I help you today?",
		"Yes hi, I was looking at the schedule on your website and I couldn't find a slot that works for us.",
		"Of course, I'd be happy to look into that. Do you have a preference for mornings or afternoons?",
		"Afternoons are better, say Friday at three thirty, or the week after that if there is nothing left.",
		"Let me check. I have an opening on the 29th at 3:30 PM, the visit costs $120 and takes forty minutes.",
	}
	found := []string{
		"Sure, it's Maria Hernandez, four one five five five five seven seven seven seven.",
		"and the email is maria dot h at example dot com, or call 212-736-5000 instead.",
	}
	size := 0
	for i := 0; size < n; i++ {
		text, role := talk[i%len(talk)], "user"
		if values && i%10 == 9 {
			text = found[i/10%len(found)]
		} else if i%2 == 0 {
			role = "agent"
		}
		c.Turns = append(c.Turns, Turn{role, text})
		size += len(text)
	}
	return c
}

func BenchmarkRedact(b *testing.B) {
	e := engine(b)
	f := func(name string, c Call) {
		n := 0
		for i := range len(c.Turns) + len(c.Texts) {
			n += len(c.Text(i))
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			begin := cpuTime()
			for b.Loop() {
				e.Redact(c)
			}
			b.ReportMetric(float64(n)*float64(b.N)/1e6/(cpuTime()-begin).Seconds(), "MB/cpu-s")
		})
	}
	f("8KiB", conversation(8<<10, true))
	f("256KiB", conversation(256<<10, true))
	clean := conversation(8<<10, false)
	f("8KiB-nothing-found", clean)
	clean.CallerName, clean.Email, clean.Phone = "", "", ""
	f("8KiB-nothing-known", clean)
	one := Call{}
	for _, t := range conversation(8<<10, true).Turns {
		one.Texts = append(one.Texts, t.Content)
	}
	one.Texts = []string{strings.Join(one.Texts, "\n")}
	f("8KiB-one-text", one)
	for _, s := range pathological {
		f("1MiB-of-"+strings.TrimSpace(s), Call{
			CallerName: "Maria Hernandez", Email: "maria.h@example.com", Phone: "+14155557777",
			Turns: []Turn{{"agent", "What's your phone number, address and email?"}, {"user", strings.Repeat(s, 1<<20/len(s))}},
		})
	}
}

// pathological are texts that, repeated, have made redactors slow.
var pathological = []string{
	"4", "1 ", "one ", "@", "a@b.co ", "212-736-5000 ", "maria ", "m a r i a ", "[", "://", ":", "GB82", "double ", "dot ", "at ",
	"Maria ", "12 Main ", "a.", "x dot ", "street ", "[PHONE]", "[PHONE_1] ", "uh ", "five uh ", "Ä", "4 a ", "https://a.b/?token=c ", "twenty ", "hundred ", "apt 4 ",
}

// cpuTime is the time this process has had of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestPathologicalTextsStayLinear holds that a text of eight times the length takes about eight times the time, and no
// more than a few microseconds a byte.
func TestPathologicalTextsStayLinear(t *testing.T) {
	e := engine(t)
	for _, p := range pathological {
		run := func(n int) time.Duration {
			c := Call{
				CallerName: "Maria Hernandez", Email: "maria.h@example.com", Phone: "+14155557777",
				Turns: []Turn{{"agent", "What's your phone number, address and email?"}, {"user", strings.Repeat(p, n/len(p))}},
			}
			begin := cpuTime()
			e.Redact(c)
			return cpuTime() - begin
		}
		const n = 8 << 10
		small, large := run(n), run(8*n)
		for range 2 {
			small, large = min(small, run(n)), min(large, run(8*n))
		}
		t.Logf("%-22q %8s %8s %5.1f times, %4d ns/byte", p, small.Round(10*time.Microsecond), large.Round(10*time.Microsecond), float64(large)/float64(small), int(large)/(8*n))
		if large > 24*small+20*time.Millisecond || large > 8*n*40*time.Microsecond {
			t.Errorf("%q: %s for %d bytes, %s for %d", p, small, n, large, 8*n)
		}
	}
}
