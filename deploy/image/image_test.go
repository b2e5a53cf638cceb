package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const (
	version = "9.8.7-test+build"
	commit  = "0123456789ab"
)

// built is an image of this tree, unpacked from its tarball.
type built struct {
	dir    string // of the results
	layout string // the tarball's content
	index  v1.ImageIndex
	images map[string]v1.Image // by platform
	boms   map[string]v1.Image
	roots  map[string]string // by platform: the layers, unpacked as a node does
}

var (
	work  string // folder of all tests
	theOf = sync.OnceValues(func() (*built, error) { return makeImage("../..", filepath.Join(work, "one")) })
)

func TestMain(m *testing.M) {
	var err error
	if work, err = os.MkdirTemp("", "postcall-image-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(work)
	os.Exit(code)
}

// makeImage runs the builder as `make image` does: as a program, which the race detector would slow down tenfold.
func makeImage(root, out string) (*built, error) {
	cmd := exec.Command("go", "run", ".", "-version", version, "-commit", commit, "-created", "1790000000", "-root", root, "-out", out)
	if log, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, log)
	}
	b := &built{dir: out, layout: filepath.Join(out, "unpacked"), images: map[string]v1.Image{}, boms: map[string]v1.Image{}, roots: map[string]string{}}
	f, err := os.Open(filepath.Join(out, "postcall-9.8.7-test_build.tar"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := untar(f, b.layout, false); err != nil {
		return nil, err
	}
	return b, b.open()
}

func (b *built) open() error {
	outer, err := layout.ImageIndexFromPath(b.layout)
	if err != nil {
		return err
	}
	m, err := outer.IndexManifest()
	if err != nil {
		return err
	}
	if len(m.Manifests) != 1 {
		return fmt.Errorf("the tarball has %d entries: a tool that loads it would have to be told which", len(m.Manifests))
	}
	if b.index, err = outer.ImageIndex(m.Manifests[0].Digest); err != nil {
		return err
	}
	inner, err := b.index.IndexManifest()
	if err != nil {
		return err
	}
	for _, d := range inner.Manifests {
		img, err := b.index.Image(d.Digest)
		if err != nil {
			return err
		}
		if d.Platform.OS == "linux" {
			arch := d.Platform.Architecture
			b.images[arch], b.roots[arch] = img, filepath.Join(b.dir, "root-"+arch)
			if err := rootfs(img, b.roots[arch]); err != nil {
				return err
			}
			continue
		}
		bom, err := img.Manifest()
		if err != nil {
			return err
		}
		b.boms[bom.Subject.Digest.String()] = img
	}
	return nil
}

func image(t *testing.T) *built {
	t.Helper()
	b, err := theOf()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// untar unpacks; with owners as they stand where the user may set them.
func untar(r io.Reader, dir string, owners bool) error {
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path, mode := filepath.Join(dir, filepath.FromSlash(h.Name)), h.FileInfo().Mode()
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
			var data []byte
			if err == nil {
				data, err = io.ReadAll(t)
			}
			if err == nil {
				err = os.WriteFile(path, data, 0o600)
			}
		}
		if err == nil {
			err = os.Chmod(path, mode)
		}
		if err == nil && owners && os.Geteuid() == 0 {
			err = os.Chown(path, h.Uid, h.Gid)
		}
		if err != nil {
			return err
		}
	}
}

func rootfs(img v1.Image, dir string) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			return err
		}
		if err := errors.Join(untar(r, dir, true), r.Close()); err != nil {
			return err
		}
	}
	return nil
}

func TestDigestsHold(t *testing.T) {
	b := image(t)
	blobs := filepath.Join(b.layout, "blobs", "sha256")
	entries, err := os.ReadDir(blobs)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(blobs, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != e.Name() {
			t.Errorf("the blob %s has the checksum %s", e.Name(), got)
		}
	}
	if len(b.images) != 2 || len(b.boms) != 2 {
		t.Fatalf("%d images and %d SBOMs, want two of each", len(b.images), len(b.boms))
	}
	for arch, img := range b.images {
		if err := validate.Image(img); err != nil {
			t.Errorf("%s: %v", arch, err)
		}
	}
	digest, err := os.ReadFile(filepath.Join(b.dir, "digest"))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := b.index.Digest(); err != nil || d.String() != strings.TrimSpace(string(digest)) {
		t.Errorf("the file says %s, the image is %s (%v)", digest, d, err)
	}
}

// TestSameCommitSameDigest builds a copy of the tree elsewhere, later.
func TestSameCommitSameDigest(t *testing.T) {
	b, root := image(t), t.TempDir()
	for _, dir := range []string{"cmd", "connector", "transforms", "plugins"} {
		if err := os.CopyFS(filepath.Join(root, dir), os.DirFS(filepath.Join("../..", dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join("../..", file))
		if err == nil {
			err = os.WriteFile(filepath.Join(root, file), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	again, err := makeImage(root, filepath.Join(t.TempDir(), "two"))
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := b.index.Digest()
	two, err2 := again.index.Digest()
	if err := errors.Join(err1, err2); err != nil || one != two {
		t.Errorf("%s, and built again %s (%v)", one, two, err)
	}
}

func TestConfig(t *testing.T) {
	for arch, img := range image(t).images {
		c, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if c.OS != "linux" || c.Architecture != arch || c.Config.User != "65532:65532" ||
			strings.Join(append(c.Config.Entrypoint, c.Config.Cmd...), " ") != "/usr/local/bin/postcall serve" {
			t.Errorf("%s: %s/%s, user %q, %v %v", arch, c.OS, c.Architecture, c.Config.User, c.Config.Entrypoint, c.Config.Cmd)
		}
		m, err := img.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		for label, want := range map[string]string{
			"version": version, "revision": commit, "licenses": "Apache-2.0",
			"source": "https://github.com/postcall/postcall", "created": "2026-09-21T14:13:20Z",
		} {
			label = "org.opencontainers.image." + label
			if got, note := c.Config.Labels[label], m.Annotations[label]; got != want || note != want {
				t.Errorf("%s: the label %s is %q, the annotation %q, want %q", arch, label, got, note, want)
			}
		}
	}
}

func TestProgramsNeedNothing(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for arch, root := range image(t).roots {
		for _, name := range []string{programPath, pluginsPath + "/redact-pii", pluginsPath + "/map-topics"} {
			f, err := elf.Open(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			libs, _ := f.ImportedLibraries()
			if f.Machine != machines[arch] || len(libs) > 0 {
				t.Errorf("%s %s: for %s, with the libraries %v", arch, name, f.Machine, libs)
			}
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
					t.Errorf("%s %s is linked dynamically", arch, name)
				}
			}
			_ = f.Close()
		}
	}
}

func TestSystemFiles(t *testing.T) {
	for arch, root := range image(t).roots {
		pem, err := os.ReadFile(filepath.Join(root, rootsPath))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(pem, []byte("BEGIN CERTIFICATE")); !x509.NewCertPool().AppendCertsFromPEM(pem) || n < 100 {
			t.Errorf("%s: %d root certificates", arch, n)
		}
		for name, want := range map[string]fs.FileMode{
			"tmp": fs.ModeDir | fs.ModeSticky | 0o777, dataPath: fs.ModeDir | 0o700, "etc/passwd": 0o644, programPath: 0o755,
		} {
			if i, err := os.Stat(filepath.Join(root, name)); err != nil || i.Mode() != want {
				t.Errorf("%s: %s: %v, want %v (%v)", arch, name, i, want, err)
			}
		}
	}
}

func TestSBOM(t *testing.T) {
	b := image(t)
	for arch, img := range b.images {
		digest, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		attached := b.boms[digest.String()]
		if attached == nil {
			t.Fatalf("%s: no SBOM has the image as its subject", arch)
		}
		m, err := attached.Manifest()
		if err != nil || m.ArtifactType != string(bomType) || m.Layers[0].MediaType != bomType {
			t.Fatalf("%s: %+v, %v", arch, m, err)
		}
		inside, err := os.ReadFile(filepath.Join(b.layout, "blobs", "sha256", m.Layers[0].Digest.Hex))
		if err != nil {
			t.Fatal(err)
		}
		beside, err := os.ReadFile(filepath.Join(b.dir, "postcall-9.8.7-test_build-linux-"+arch+".cdx.json"))
		if err != nil || !bytes.Equal(inside, beside) {
			t.Errorf("%s: the SBOM beside the tarball is another one (%v)", arch, err)
		}
		checkBOM(t, inside, b.roots[arch])
	}
}

func checkBOM(t *testing.T, data []byte, root string) {
	t.Helper()
	var bom cdx.BOM
	if err := json.Unmarshal(data, &bom); err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.Metadata.Component.Version != version {
		t.Errorf("%s of %+v", bom.BOMFormat, bom.Metadata.Component)
	}
	refs := map[string]bool{bom.Metadata.Component.BOMRef: true}
	apps := map[string]string{}
	for _, c := range *bom.Components {
		refs[c.BOMRef] = true
		if c.Type == cdx.ComponentTypeApplication {
			apps[c.Name] = (*c.Hashes)[0].Value
		} else if c.Version == "" || !strings.HasPrefix(c.PackageURL, "pkg:golang/") {
			t.Errorf("%+v can't be looked up", c)
		}
	}
	for name, sum := range apps {
		program, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || fmt.Sprintf("%x", sha256.Sum256(program)) != sum {
			t.Errorf("%s is not the program of the SBOM (%v)", name, err)
		}
	}
	if len(apps) != 3 {
		t.Errorf("programs: %v", apps)
	}
	mods := strings.Join(append(make([]string, 0), sortedKeys(refs)...), "\n")
	for _, want := range []string{
		"github.com/ClickHouse/clickhouse-go/v2@", "github.com/nats-io/nats-server/v2@", "golang/std@1.", "golang.org/x/crypto/x509roots/fallback@",
	} {
		if !strings.Contains(mods, want) {
			t.Errorf("the SBOM does not name %s", want)
		}
	}
	for _, d := range *bom.Dependencies {
		for _, ref := range append([]string{d.Ref}, *d.Dependencies...) {
			if !refs[ref] {
				t.Errorf("%s is needed, and no component", ref)
			}
		}
	}
}

func sortedKeys(m map[string]bool) (all []string) {
	for k := range maps.Keys(m) {
		all = append(all, k)
	}
	return all
}
