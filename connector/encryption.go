package connector

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// The embedded streams can be encrypted at rest (POSTCALL_ENCRYPTION_KEY), by the server: what is in the intake has been
// through no redaction yet. The server's key is made at random with the streams. The marker file keeps it, encrypted with
// the operator's key, whose fingerprint stands beside it and is asked before the server starts: a server with another key
// only warns, and takes the streams for absent (DELIVERY.md, rule 1).
//
// So to rotate the operator's key is to write one small file: the new one is put before the old one for one start. Rejected
// (2026-11): the server's own rotation, by a second key. With nats-server 2.15 it lost the consumers, the times when
// streams were made and every empty stream (seen). For the same reason streams that were made without a key stay so.

// streamKeyBytes is the size of the server's key.
const streamKeyBytes = 32

// EncryptionKeys returns the keys of POSTCALL_ENCRYPTION_KEY: the one in force and, while it is rotated, the one before it.
func (c *Config) EncryptionKeys() []string {
	return trimList(strings.Split(c.EncryptionKey.Reveal(), ","))
}

// derive makes 32 bytes of an operator's key for one use.
func derive(key, use string) []byte {
	b, err := hkdf.Key(sha256.New, []byte(key), nil, "postcall streams: "+use, 32)
	if err != nil {
		panic(err) // wrong lengths only
	}
	return b
}

// keyPrint is what the marker says of a key. It does not help to guess one that was made at random.
func keyPrint(key string) string { return hex.EncodeToString(derive(key, "fingerprint")[:8]) }

func keySeal(key string) cipher.AEAD {
	block, err := aes.NewCipher(derive(key, "seal"))
	if err != nil {
		panic(err) // a wrong length only
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// newStreamKey makes the key of new streams under the first of keys; without one they are not encrypted.
func (m *marker) newStreamKey(keys []string) {
	if m.Key = keyNone; len(keys) == 0 {
		return
	}
	m.stream = make([]byte, streamKeyBytes)
	_, _ = rand.Read(m.stream) // never fails
	m.wrap(keys[0])
}

func (m *marker) wrap(key string) {
	m.Key, m.Wrapped = keyPrint(key), keySeal(key).Seal(nil, nil, m.stream, nil)
}

// unwrap finds the key of the streams, and says whether the marker is to be written again, under the first of keys.
func (m *marker) unwrap(dir string, keys []string) (again bool, err error) {
	switch {
	case m.Key == keyNone && len(keys) == 0:
		return false, nil
	case m.Key == keyNone:
		return false, fmt.Errorf("the streams in %s are not encrypted, and can't become it: unset POSTCALL_ENCRYPTION_KEY, let postcall serve run until "+
			"postcall status shows nothing pending, and start with the key in an empty POSTCALL_DATA_DIR", dir)
	case len(keys) == 0:
		return false, fmt.Errorf("the streams in %s are encrypted, and POSTCALL_ENCRYPTION_KEY is not set: set it to the key with the fingerprint %s", dir, m.Key)
	}
	for i, k := range keys {
		if keyPrint(k) != m.Key {
			continue
		}
		if m.stream, err = keySeal(k).Open(nil, nil, m.Wrapped, nil); err != nil || len(m.stream) != streamKeyBytes {
			return false, fmt.Errorf("%s in %s is damaged; restore it from a backup: %w", markerName, dir, errors.Join(err, ErrDamaged))
		}
		if i > 0 {
			m.wrap(keys[0])
		}
		return i > 0, nil
	}
	return false, fmt.Errorf("the streams in %s are encrypted with another key than those of POSTCALL_ENCRYPTION_KEY (fingerprint %s): put that one behind the new one, separated by a comma, for one start", dir, m.Key)
}

// serverKey is the key as the server takes it, empty where the streams are not encrypted.
func (m *marker) serverKey() string { return hex.EncodeToString(m.stream) }
