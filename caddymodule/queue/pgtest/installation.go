package pgtest

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
)

// installation is PostgreSQL as it is installed, and the account to run it with.
type installation struct {
	bin     string
	account *account // nil for that of this process
}

// find looks for initdb and postgres: in PATH, then where systems install them, the
// highest version first.
var find = sync.OnceValues(func() (*installation, error) {
	account, err := runAs()
	if err != nil {
		return nil, err
	}
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/opt/homebrew/bin",
		"/usr/local/opt/postgresql@*/bin", "/usr/local/pgsql*/bin", "/usr/local/bin",
	} {
		found, _ := filepath.Glob(pattern)
		slices.SortStableFunc(found, func(a, b string) int { return version(b) - version(a) })
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		in := &installation{dir, account}
		if !filepath.IsAbs(dir) || !in.has("initdb") || !in.has("postgres") {
			continue
		}
		// Where these are links, the other programs are where they lead.
		if file, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil {
			if target := (&installation{filepath.Dir(file), account}); target.has("initdb") {
				return target, nil
			}
		}
		return in, nil
	}
	return nil, errors.New("initdb and postgres not found: install PostgreSQL (Debian: apt-get install postgresql)")
})

var digits = regexp.MustCompile(`\d+`)

// version returns the first number in the path of an installation.
func version(dir string) int {
	n, _ := strconv.Atoi(digits.FindString(dir))
	return n
}

// has reports whether a program is part of the installation.
func (in *installation) has(program string) bool {
	_, err := exec.LookPath(filepath.Join(in.bin, program))
	return err == nil
}

// command returns a command that runs a program of the installation in a directory.
func (in *installation) command(dir, program string, args ...string) *exec.Cmd {
	return command(in.account, dir, filepath.Join(in.bin, program), args...)
}

// mkdir creates a temporary directory that the account owns and can reach.
func (in *installation) mkdir() (string, error) {
	parent, err := filepath.Abs(os.TempDir())
	if err != nil {
		return "", err
	}
	if in.account != nil && !open(parent) {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "pgtest-")
	if err != nil {
		return "", err
	}
	return dir, in.own(dir)
}

// open reports whether everyone may go into a directory.
func open(dir string) bool {
	info, err := os.Stat(dir)
	up := filepath.Dir(dir)
	return err == nil && info.Mode()&0o001 != 0 && (up == dir || open(up))
}

// own gives a file to the account.
func (in *installation) own(file string) error {
	if in.account == nil {
		return nil
	}
	return os.Chown(file, int(in.account.uid), int(in.account.gid))
}

// template runs initdb and returns the data directory as a tar file. The file has
// no name any more, so it is gone with this process.
var template = sync.OnceValues(func() (*os.File, error) {
	in, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := in.mkdir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	data := filepath.Join(dir, "data")
	if err = run(in.command(dir, "initdb", "-D", data, "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C")); err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(dir, "tar"))
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(file)
	return file, errors.Join(w.AddFS(os.DirFS(data)), w.Close())
})

// unpack writes a template to a new directory.
func (in *installation) unpack(template io.ReaderAt, dir string) error {
	if err := errors.Join(os.Mkdir(dir, 0o700), in.own(dir)); err != nil {
		return err
	}
	for r := tar.NewReader(io.NewSectionReader(template, 0, 1<<40)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		name := filepath.Join(dir, header.Name)
		if header.Typeflag == tar.TypeDir {
			err = os.Mkdir(name, 0o700)
		} else {
			err = write(name, r)
		}
		if err = errors.Join(err, in.own(name)); err != nil {
			return err
		}
	}
}

func write(name string, r io.Reader) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Close())
}
