package source

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
)

const (
	// MinSecret is the length of the shortest secret that is taken, in bytes: it is guessed over the network.
	MinSecret     = 8
	maxSecretFile = 64 << 10
)

// secret is one of several that are valid at once.
type secret struct {
	sum [sha256.Size]byte // compared instead of the text: it takes the same time whatever the length
	key []byte            // of signatures
}

// secrets are the valid secrets of one proof, while one is rotated several. They come from files, or are fixed.
type secrets struct {
	fixed    []string
	paths    []string
	commas   bool // a file separates secrets by commas besides lines
	standard bool // whsec_ and base64: the key is what that says

	now  atomic.Pointer[[]secret]
	last []byte // what the files held
}

// reload reads the files and reports whether the secrets changed. After an error they are as they were.
func (s *secrets) reload() (changed bool, err error) {
	text := []byte(strings.Join(s.fixed, "\n"))
	for _, path := range s.paths {
		b, err := readSecretFile(path)
		if err != nil {
			return false, err
		}
		text = append(append(text, b...), '\n')
	}
	if s.now.Load() != nil && bytes.Equal(text, s.last) {
		return false, nil
	}
	var list []secret
	for line := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == '\n' || r == '\r' || s.commas && r == ',' }) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if len(line) < MinSecret {
			return false, fmt.Errorf("one of the secrets has fewer than %d characters; make one with openssl rand -hex 32", MinSecret)
		}
		one := secret{sum: sha256.Sum256([]byte(line)), key: []byte(line)}
		if s.standard {
			if one.key, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "whsec_")); err != nil || len(one.key) < MinSecret {
				return false, errors.New("one of the secrets is not whsec_ and base64; copy it from the sender's settings as it is")
			}
		}
		list = append(list, one)
	}
	if len(list) == 0 {
		return false, errors.New("the files hold no secret; write one a line")
	}
	s.last = text
	changed = s.now.Load() != nil
	s.now.Store(&list)
	return changed, nil
}

// match compares a text with every secret, in constant time for texts of one length.
func (s *secrets) match(given string) bool {
	sum, ok := sha256.Sum256([]byte(given)), 0
	list := *s.now.Load()
	for i := range list {
		ok |= subtle.ConstantTimeCompare(sum[:], list[i].sum[:])
	}
	return ok == 1
}

// sameText compares two texts in constant time, whatever their lengths.
func sameText(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// first is the secret that a sender uses.
func (s *secrets) first() string {
	if list := *s.now.Load(); len(list) > 0 && !s.standard {
		return string(list[0].key)
	}
	return ""
}

// readSecretFile reads a file of secrets. Its errors name neither the path, which may be a secret in the wrong place, nor
// the content.
func readSecretFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileProblem(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	switch {
	case err != nil:
		return nil, fileProblem(err)
	case len(b) > maxSecretFile:
		return nil, fmt.Errorf("the file is larger than %d bytes; name one that holds secrets and nothing else", maxSecretFile)
	}
	return b, nil
}

func fileProblem(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file; name a readable one")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("the file may not be read by this user; name a readable one")
	}
	return errors.New("the file can't be read; name a readable one")
}
