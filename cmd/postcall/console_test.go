package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const consolePassword = "a night-time password"

// browser is a headless Chromium with the console open.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string
	says     []string // warnings and errors of the page's console, those of the policy among them
}

// openConsole opens the console of a running postcall, which a real browser asks for its password.
func openConsole(t *testing.T, w *world) *browser {
	t.Helper()
	path, err := exec.Command("../../bin/local", "browser").Output()
	if err != nil {
		t.Fatalf("bin/local browser (make bin/local builds the program): %v", err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(strings.TrimSpace(string(path))), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	go func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			if m.Type != chromedp.ConsoleLog && m.Type != chromedp.ConsoleDebug && m.Type != chromedp.ConsoleInfo {
				b.mu.Lock()
				b.says = append(b.says, m.String())
				b.mu.Unlock()
			}
		}
	}()
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate("http://operator:" + strings.ReplaceAll(consolePassword, " ", "%20") + "@" + w.admin + "/console/"))
	return b
}

func (b *browser) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, ev.Request.URL)
	case *runtime.EventExceptionThrown:
		b.says = append(b.says, ev.ExceptionDetails.Text)
	}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// js is the value of an expression in the page, as text.
func (b *browser) js(expression string) string {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (b *browser) eventually(what, expression string) {
	b.t.Helper()
	for range 300 {
		if b.js(expression) == "true" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.t.Fatalf("never: %s\n%s", what, b.js("document.body.innerText"))
}

// press presses a key until the focus is where it is wanted, 80 times at most.
func (b *browser) press(key, until string) {
	b.t.Helper()
	for range 80 {
		b.do(chromedp.KeyEvent(key))
		if b.js("document.activeElement.matches('"+until+"')") == "true" {
			return
		}
	}
	b.t.Fatalf("the key never brings the focus to %s; it is at %s", until, b.js("document.activeElement.outerHTML"))
}

// shoot takes a picture, of the whole page or of the window, and returns how many colours it has.
func (b *browser) shoot(dir, name, scheme string, width int64, take chromedp.Action[[]byte]) (colours int) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(width, 900))
	if over := b.js("document.documentElement.scrollWidth - document.documentElement.clientWidth"); over != "0" {
		b.t.Errorf("%s: the page is %s pixels wider than the window", name, over)
	}
	picture, err := chromedp.Run(b.ctx, take)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		b.t.Fatal(err)
	}
	seen := map[any]bool{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 2 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 2 {
			seen[img.At(x, y)] = true
		}
	}
	return len(seen)
}

// consoleWorld is a running postcall with the console on, whose ClickHouse refuses a call.
func consoleWorld(t *testing.T) *world {
	w := newWorld(t)
	w.migrate()
	w.query("ALTER TABLE " + w.db + ".calls_raw ADD CONSTRAINT picky CHECK summary NOT LIKE '%poison%'")
	w.set("POSTCALL_CONSOLE_PASSWORD=" + consolePassword)
	w.serve()
	return w
}

func TestConsoleInABrowser(t *testing.T) {
	w := consoleWorld(t)
	for i := range 3 {
		w.deliver(call(fmt.Sprintf("call-%d", i), "about a zeppelin"))
	}
	w.eventually("the first calls", func() bool { return w.rows() == "3\t3" })
	b := openConsole(t, w)
	b.eventually("delivered says 3", `document.getElementById("delivered-clickhouse").textContent === "3"`)

	// The numbers move by themselves; nothing is loaded anew.
	b.js("window.stays = 'yes'")
	for i := 3; i < 9; i++ {
		w.deliver(call(fmt.Sprintf("call-%d", i), "about a zeppelin"))
	}
	b.eventually("delivered says 9", `document.getElementById("delivered-clickhouse").textContent === "9" && document.getElementById("delivered-elasticsearch").textContent === "9"`)
	b.eventually("there is a rate", `/[0-9]/.test(document.getElementById("rate-clickhouse").textContent)`)
	b.eventually("a call is told, with its stores", `[...document.querySelectorAll("#calls tbody tr")].some(r => r.innerText.includes("call-8") && (r.innerText.match(/has it/g)||[]).length === 2 && r.innerText.includes("redact-pii"))`)
	if b.js("window.stays") != "yes" {
		t.Error("the page was loaded anew")
	}

	// What ClickHouse refuses comes up as a dead letter, and so does a body that was refused at the door.
	w.deliver(call("poison-1", "poison, from Nora Whitfield"))
	w.deliver(call("poison-2", "poison, from Nora Whitfield"))
	if code := w.deliver(strings.Replace(call("x", "at the door"), `"callId":"x"`, `"callId":7,"<script>alert(1)</script>":"Nora"`, 1)); code != 422 {
		t.Fatalf("answered %d", code)
	}
	b.eventually("three dead letters", `document.querySelectorAll("#dead tbody tr").length === 3`)
	b.eventually("a store lacks a call", `document.querySelector("#calls").innerText.includes("held back")`)

	dir := t.ArtifactDir()
	for _, scheme := range []string{"dark", "light"} {
		for _, width := range []int64{1400, 400} {
			name := fmt.Sprintf("console-%s-%d", scheme, width)
			if n := b.shoot(dir, name, scheme, width, chromedp.FullScreenshot(100)); n < 100 {
				t.Errorf("%s has %d colours", name, n)
			}
		}
	}
	b.do(chromedp.EmulateViewport(1400, 900))

	b.purgeByKeyboard(w, dir)
	b.replay(w)

	b.mu.Lock()
	defer b.mu.Unlock()
	for _, asked := range b.requests {
		if u, err := url.Parse(asked); err != nil || u.Host != w.admin || !strings.HasPrefix(u.Path, "/console/") {
			t.Errorf("the page asks for %s", asked)
		}
	}
	if len(b.requests) < 10 {
		t.Errorf("only %d requests were seen", len(b.requests))
	}
	// One replay was refused on purpose.
	if len(b.says) != 1 || !strings.Contains(b.says[0], "409 (Conflict)") {
		t.Errorf("the page says: %v", b.says)
	}
}

// purgeByKeyboard opens, leaves, and purges a dead letter without a mouse.
func (b *browser) purgeByKeyboard(w *world, dir string) {
	t := b.t
	t.Helper()
	const letter = `#dead tbody tr[id^="dead-load-"] a`
	b.press(kb.Tab, letter)
	id := b.js(`document.activeElement.closest("tr").id`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.eventually("the preview is open", `document.querySelector("dialog[open] #purge") !== null && document.activeElement.id === "close"`)
	preview := b.js(`document.querySelector("dialog pre").textContent`)
	if !strings.Contains(preview, "zeppelin") || strings.Contains(preview, "Nora") || strings.Contains(preview, "555-0142") || strings.Contains(preview, "5550142") {
		t.Errorf("the preview says\n%s", preview)
	}
	b.shoot(dir, "console-preview-dark-1400", "dark", 1400, chromedp.CaptureScreenshot())
	b.press(kb.Tab, "#purge")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.eventually("it asks, and Cancel has the focus", `document.activeElement.id === "cancel" && document.querySelector("#letter-title").textContent.includes("Purge")`)
	b.shoot(dir, "console-confirm-dark-1400", "dark", 1400, chromedp.CaptureScreenshot())
	b.do(chromedp.KeyEvent(kb.Enter))
	b.eventually("cancelled", `document.activeElement.id === "close"`)
	if out := w.must("dead", "list"); strings.Count(out, "poison-") != 2 {
		t.Errorf("after Cancel\n%s", out)
	}
	b.do(chromedp.KeyEvent(kb.Escape))
	b.eventually("Escape closes it, and the focus is back", `document.querySelector("dialog[open]") === null && document.activeElement.closest("tr")?.id === "`+id+`"`)

	b.do(chromedp.KeyEvent(kb.Enter))
	b.eventually("open again", `document.activeElement.id === "close"`)
	b.press(kb.Tab, "#purge")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.eventually("it asks again", `document.activeElement.id === "cancel"`)
	b.press(kb.Tab, "#confirm")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.eventually("it is told", `document.querySelector("dialog[open]") === null && document.getElementById("said").textContent === "The dead letter is purged."`)
	b.eventually("it is gone", `document.getElementById("`+id+`") === null && document.querySelectorAll("#dead tbody tr").length === 2`)
	if at := b.js("document.activeElement.id"); at != "dead-title" {
		t.Errorf("the focus is at %q", at)
	}
	if out := w.must("dead", "list"); strings.Count(out, "poison-") != 1 {
		t.Errorf("after the purge\n%s", out)
	}
}

// replay brings the other dead letter back, by the mouse, and looks at the refused body.
func (b *browser) replay(w *world) {
	t := b.t
	t.Helper()
	b.do(chromedp.Click(`#dead tbody tr[id^="dead-webhook-"] a`))
	b.eventually("the refused body is open", `document.querySelector("dialog[open] pre") !== null`)
	if text := b.js(`document.querySelector("dialog").innerText`); !strings.Contains(text, "callerName: string(") || strings.Contains(text, "Nora") || strings.Contains(text, "alert(") {
		t.Errorf("the preview says\n%s", text)
	}
	b.do(chromedp.Click("#close"))
	b.do(chromedp.Click(`#dead tbody tr[id^="dead-load-"] a`))
	b.eventually("the letter is open", `document.querySelector("dialog[open] #replay") !== null`)
	b.do(chromedp.Click("#replay"))
	b.eventually("it asks", `document.querySelector("dialog #confirm") !== null`)
	b.do(chromedp.Click("#confirm")) // ClickHouse still refuses it
	b.eventually("it is told why not", `document.querySelector("dialog[open] [role=alert]")?.textContent.includes("Not done")`)
	w.query("ALTER TABLE " + w.db + ".calls_raw DROP CONSTRAINT picky")
	b.do(chromedp.Click("#replay"))
	b.eventually("it asks again", `document.querySelector("dialog #confirm") !== null`)
	b.do(chromedp.Click("#confirm"))
	b.eventually("it is told", `document.getElementById("said").textContent === "The dead letter is replayed."`)
	b.eventually("one is left", `document.querySelectorAll("#dead tbody tr").length === 1`)
	w.eventually("ClickHouse has it", func() bool {
		return w.query("SELECT uniqExact(call_id) FROM "+w.db+".calls_raw WHERE call_id LIKE 'poison-%' OR call_id LIKE 'call-%'") == "10"
	})
}

// A sink that waits says why, beside its backlog, until it has caught up.
func TestConsoleShowsWhyASinkWaits(t *testing.T) {
	w := newWorld(t)
	w.set("POSTCALL_CONSOLE_PASSWORD=" + consolePassword)
	w.serve()
	for i := range 20 {
		w.deliver(call(fmt.Sprintf("call-%d", i), "about a zeppelin"))
	}
	b := openConsole(t, w)
	const clickhouse = `document.getElementById("sink-clickhouse")`
	b.eventually("it is paused", clickhouse+`.innerText.includes("paused") && `+clickhouse+`.innerText.includes("migrate apply")`)
	b.eventually("its backlog", clickhouse+`.innerText.includes("20 in")`)
	b.eventually("the calls are told all the same", `document.querySelector("#calls").innerText.includes("on its way")`)
	dir := t.ArtifactDir()
	b.shoot(dir, "console-paused-dark-1400", "dark", 1400, chromedp.FullScreenshot(100))
	b.shoot(dir, "console-paused-light-400", "light", 400, chromedp.FullScreenshot(100))
	w.migrate()
	b.eventually("it loads, and has caught up", clickhouse+`.innerText.includes("loads") && `+clickhouse+`.innerText.includes("pending\n0\n") && document.getElementById("delivered-clickhouse").textContent === "20"`)
}
