package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

func pluginInstallCommand() *cobra.Command {
	var from []string
	c := &cobra.Command{
		Use: "install DIR", Short: "Copy the shipped plugins, and your own, into one locked folder", Args: cobra.ExactArgs(1),
		Long: `install copies the plugins beside the binary, and those of each --from, into the folder DIR, which POSTCALL_PLUGIN_DIR can
then name, and writes one lock file of all of them. A folder of --from has to hold a plugins.lock of its own (see postcall
plugin lock), and only what that lists is copied, if it is what it lists. Two plugins of one name are refused.

It is safe to repeat, and needs no shell: in Kubernetes it is an init container.`,
		Example: `  postcall plugin install --from /opt/our-plugins /opt/plugins`,
		RunE: func(c *cobra.Command, args []string) error {
			var beside connector.Config // without a POSTCALL_PLUGIN_DIR
			shipped, err := beside.PluginFolder()
			if err != nil {
				return err
			}
			return installPlugins(c.OutOrStdout(), shipped, from, args[0])
		},
	}
	c.Flags().StringArrayVar(&from, "from", nil, "folder of your own plugins with their plugins.lock; may be repeated")
	return c
}

func installPlugins(out io.Writer, shipped string, from []string, to string) error {
	sums := map[string][]byte{}
	where := map[string]string{}
	for _, dir := range append([]string{shipped}, from...) {
		lock, err := trusted(dir, dir == shipped)
		if err != nil {
			return err
		}
		for name, sum := range lock {
			if where[name] != "" {
				return fmt.Errorf("plugin %s is in %s and in %s: give one of them another name", name, where[name], dir)
			}
			where[name], sums[name] = dir, sum
		}
	}
	if err := os.MkdirAll(to, 0o755); err != nil { //nolint:gosec // plugins are no secret, and another user may run them
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(where)) {
		if err := copyPlugin(filepath.Join(where[name], name), filepath.Join(to, name)); err != nil {
			return fmt.Errorf("copy plugin %s: %w", name, err)
		}
		if sum, err := transforms.Checksum(filepath.Join(to, name)); err != nil || !bytes.Equal(sum, sums[name]) {
			return errors.Join(fmt.Errorf("plugin %s in %s is not the one of its %s", name, where[name], transforms.LockFile), err)
		}
	}
	if err := transforms.WriteLock(to, sums); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(to, transforms.LockFile), err)
	}
	_, err := fmt.Fprintf(out, "%d plugins are in %s, and locked\n", len(sums), to)
	return err
}

// trusted returns what a folder's lock file lists. The shipped plugins are as safe as the binary beside them: without a
// lock file they count as they are.
func trusted(dir string, shipped bool) (map[string][]byte, error) {
	lock, err := transforms.ReadLock(dir)
	if err != nil || lock != nil {
		return lock, err
	}
	if !shipped {
		return nil, fmt.Errorf("%s holds no %s: write it where the plugins are built, by postcall plugin lock --all, and copy it with them",
			dir, transforms.LockFile)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for the shipped plugins: %w", err)
	}
	lock = map[string][]byte{}
	for _, e := range entries {
		if _, err := transforms.Executable(dir, e.Name()); err != nil {
			continue
		}
		if lock[e.Name()], err = transforms.Checksum(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return lock, nil
}

// copyPlugin copies a file or a folder, in place of what is there.
func copyPlugin(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return copyFile(from, to, info.Mode())
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o755) //nolint:gosec // as above
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			return errors.Join(err, os.Symlink(link, target))
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		return copyFile(path, target, i.Mode())
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode.Perm()|0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
