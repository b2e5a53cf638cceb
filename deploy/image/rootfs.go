package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	programPath = "usr/local/bin/postcall"
	pluginsPath = "usr/local/bin/plugins"
	lockPath    = pluginsPath + "/plugins.lock"
	rootsPath   = "etc/ssl/certs/ca-certificates.crt"
	dataPath    = "var/lib/postcall"
	// user is who runs it: a number, so that Kubernetes can tell that it isn't root.
	user = 65532
)

// entry is a file or, without data, a folder of a layer.
type entry struct {
	mode  int64
	owner int
	data  []byte
}

// baseLayer has what a program looks for besides itself. Zone files are not among it: the program holds them (time/tzdata).
func (r *release) baseLayer() (v1.Layer, error) {
	return r.layer(map[string]entry{
		"etc/passwd": {mode: 0o644, data: []byte("root:x:0:0:root:/:/sbin/nologin\npostcall:x:65532:65532:postcall:/tmp:/sbin/nologin\n")},
		"etc/group":  {mode: 0o644, data: []byte("root:x:0:\npostcall:x:65532:\n")},
		rootsPath:    {mode: 0o644, data: rootCertificates()},
		"tmp":        {mode: 0o1777},
		dataPath:     {mode: 0o700, owner: user},
	})
}

// rootCertificates is Mozilla's list, as PEM, by the Go module that its security team keeps. Roots that are trusted under
// a condition only are left out: a file of certificates can't state it.
func rootCertificates() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return b.Bytes()
}

// programLayer has the programs, and the checksums that `postcall serve` starts plugins by.
func (r *release) programLayer(files map[string]string) (v1.Layer, error) {
	entries := map[string]entry{}
	var lock strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data, err := os.ReadFile(files[name])
		if err != nil {
			return nil, err
		}
		entries[name] = entry{mode: 0o755, data: data}
		if path.Dir(name) == pluginsPath {
			fmt.Fprintf(&lock, "%x  %s\n", sha256.Sum256(data), path.Base(name))
		}
	}
	entries[lockPath] = entry{mode: 0o644, data: []byte(lock.String())}
	return r.layer(entries)
}

// layer packs entries and the folders above them, in the order of their names, all of the commit's time.
func (r *release) layer(entries map[string]entry) (v1.Layer, error) {
	for name := range maps.Clone(entries) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := entries[dir]; !ok {
				entries[dir] = entry{mode: 0o755}
			}
		}
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		e := entries[name]
		h := &tar.Header{
			Name: name, Mode: e.mode, Uid: e.owner, Gid: e.owner, ModTime: r.created, Size: int64(len(e.data)),
			Typeflag: tar.TypeReg, Format: tar.FormatPAX,
		}
		if e.data == nil {
			h.Name, h.Typeflag = name+"/", tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.DefaultCompression), tarball.WithCompressedCaching)
}
