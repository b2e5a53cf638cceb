// Command image builds postcall's image without a container engine and without pulling a base: an OCI image layout in one
// tarball, for several platforms, with a list of what is inside (SBOM) attached to each image and beside the tarball.
//
// The same commit, built by the same release of Go, gives the same digest: times are the commit's, files are sorted, and
// the programs are built with -trimpath and without cgo.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// platforms are those the image is for.
var platforms = []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}

// release is what is built.
type release struct {
	version, commit string
	created         time.Time // the commit's
	root            string    // of the repository
	out             string    // folder of the results
	name            string    // what the image is called where it is loaded, without a tag
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := release{}
	seconds := flag.Int64("created", 0, "time of the commit in Unix seconds")
	flag.StringVar(&r.version, "version", "0.0.0-dev", "version of the release, without v")
	flag.StringVar(&r.commit, "commit", "unknown", "the commit")
	flag.StringVar(&r.root, "root", "../..", "root of the repository")
	flag.StringVar(&r.out, "out", "../../dist/image", "folder of the results")
	flag.StringVar(&r.name, "name", "postcall/postcall", "name of the image, without a tag")
	flag.Parse()
	r.created = time.Unix(*seconds, 0).UTC()
	if err := r.make(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// make builds everything into r.out: the tarball, its digest, an SBOM for each platform and the programs.
func (r *release) make(ctx context.Context, log io.Writer) error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	base, err := r.baseLayer()
	if err != nil {
		return fmt.Errorf("the layer of system files: %w", err)
	}
	var parts []part
	for _, p := range platforms {
		dir := filepath.Join(r.out, p.OS+"_"+p.Architecture)
		if err := r.build(ctx, p, dir); err != nil {
			return fmt.Errorf("build for %s: %w", p.String(), err)
		}
		made, err := r.part(p, dir, base)
		if err != nil {
			return fmt.Errorf("the image for %s: %w", p.String(), err)
		}
		if err := os.WriteFile(filepath.Join(r.out, r.file(p)+".cdx.json"), made.bom, 0o644); err != nil { //nolint:gosec // everybody may read it
			return err
		}
		parts = append(parts, made)
	}
	idx, err := r.index(parts)
	if err != nil {
		return err
	}
	digest, err := idx.Digest()
	if err != nil {
		return err
	}
	tarball := filepath.Join(r.out, "postcall-"+r.tag()+".tar")
	if err := r.writeLayout(idx, tarball); err != nil {
		return fmt.Errorf("write %s: %w", tarball, err)
	}
	if err := os.WriteFile(filepath.Join(r.out, "digest"), []byte(digest.String()+"\n"), 0o644); err != nil { //nolint:gosec // everybody may read it
		return err
	}
	_, err = fmt.Fprintf(log, "%s: %s:%s for %s, %s\n", tarball, r.name, r.tag(), names(platforms), digest)
	return err
}

// tag is the version as a tag may be written.
func (r *release) tag() string { return strings.ReplaceAll(r.version, "+", "_") }

func (r *release) file(p v1.Platform) string {
	return fmt.Sprintf("postcall-%s-%s-%s", r.tag(), p.OS, p.Architecture)
}

func names(ps []v1.Platform) string {
	var all []string
	for _, p := range ps {
		all = append(all, p.String())
	}
	return strings.Join(all, ", ")
}

var errNoBuildInfo = errors.New("the program says nothing about what it was built from; build it by Go " + runtime.Version())
