package redact

import (
	"strings"
	"testing"
)

func TestHashIsTheSameForEverySpelling(t *testing.T) {
	key := []byte("a key for tests only")
	f := func(kind string, same ...string) {
		t.Helper()
		want := Hash(key, kind, same[0])
		if !IsHash(kind, want) || len(want) != len(kind)+33 {
			t.Errorf("%q is no hash", want)
		}
		for _, v := range same {
			if got := Hash(key, kind, v); got != want {
				t.Errorf("%s %q: %s, want %s", kind, v, got, want)
			}
		}
		if Hash([]byte("another key, also long"), kind, same[0]) == want {
			t.Errorf("%s: the key makes no difference", kind)
		}
	}
	f(KindPhone, "+14155557777", "14155557777", "4155557777", "(415) 555-7777", " +1 415.555.7777 ")
	f(KindPhone, "+44 20 7946 0958", "+442079460958")
	f(KindPhone, "anonymous", "Anonymous ")
	f(KindEmail, "maria.h@example.com", " Maria.H@Example.COM\n")
	f(KindName, "Maria  Hernández", "maria hernández", " MARIA\tHERNA\u0301NDEZ ")
	f("account", "A1", "a1 ")
	if a, b := Hash(key, KindEmail, "x"), Hash(key, KindName, "x"); a[6:] == b[5:] {
		t.Error("the kind makes no difference")
	}
	if got := Hash(key, KindPhone, " "); got != "" {
		t.Errorf("nothing has the hash %q", got)
	}
}

// TestHashStaysTheSame holds the values that stores are full of: they must never change.
func TestHashStaysTheSame(t *testing.T) {
	f := func(kind, value, want string) {
		t.Helper()
		if got := Hash([]byte("0123456789abcdef"), kind, value); got != want {
			t.Errorf("%s %s: %q", kind, value, got)
		}
	}
	f(KindPhone, "+14155557777", "phone_cfhfmnjlobicjpmojnhginlofjkpjboh")
	f(KindEmail, "maria.h@example.com", "email_pdmnjmkkcgbeddadpbjjeopbbfpbojce")
	f(KindName, "Maria Hernandez", "name_dinmoghndfhaonobbiciidemadbphhfb")
}

func TestIsHash(t *testing.T) {
	f := func(s string, want bool) {
		t.Helper()
		if IsHash(KindPhone, s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
	f("phone_"+strings.Repeat("p", 32), true)
	f("phone_"+strings.Repeat("q", 32), false)
	f("phone_"+strings.Repeat("a", 31), false)
	f("email_"+strings.Repeat("a", 32), false)
	f("phone-"+strings.Repeat("a", 32), false)
	f("", false)
}

func TestParseKeys(t *testing.T) {
	keys, err := ParseKeys(" 0123456789abcdef ,fedcba9876543210xyz")
	if err != nil || len(keys) != 2 || string(keys[0]) != "0123456789abcdef" || string(keys[1]) != "fedcba9876543210xyz" {
		t.Errorf("%q, %v", keys, err)
	}
	f := func(s, says string) {
		t.Helper()
		keys, err := ParseKeys(s)
		if err == nil || keys != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", s, err, says)
		} else if strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "abcdef") {
			t.Errorf("the error quotes a key: %v", err)
		}
	}
	f("", "no redaction key")
	f(" \n", "no redaction key")
	f("hunter2", "key 1 has 7 bytes")
	f("0123456789abcdef,hunter22", "key 2 has 8 bytes")
	f("0123456789abcdef,", "key 2 has 0 bytes")
}

func TestCutURL(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := CutURL(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		} else if again := CutURL(got); again != got {
			t.Errorf("%q became %q the second time", got, again)
		}
	}
	same := func(in string) { t.Helper(); f(in, in) }
	same("")
	same("https://app.example/calls/call_01HXY8ZZB6Q4DR9SS6S5KEM3CK")
	same("https://app.example/calls?page=2&tab=notes#top")
	same("https://app.example/@team?x=a@b#")
	same("?")
	f("https://u:p@app.example/", "https://app.example/")
	f("https://a@b@app.example", "https://app.example")
	f("https://app.example/r.mp3?token=abc", "https://app.example/r.mp3")
	f("https://app.example/r.mp3?a=1&sig=abc&b=2", "https://app.example/r.mp3?a=1&b=2")
	f("https://s3.example/r?X-Amz-Signature=0f&X-Amz-Expires=300&v=1", "https://s3.example/r?v=1")
	f("https://app.example/#access_token=abc&state=1", "https://app.example/#state=1")
	f("https://app.example/r?id=9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c", "https://app.example/r")
}
