// The oracle answers, as Go itself would, what the analyzer has to work out: one JSON request a line on stdin, one JSON
// answer a line on stdout. Nothing is read from disk but the tree of a "tree" request.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A request asks for one kind of answer, by which of Lines, Package, Source and Tree is there.
type request struct {
	Lines   [][]byte   // build constraints
	Package *directory // files of a directory
	Source  *[]byte    // one Go file
	Tree    string     // a folder on disk
	Systems []platform // for which Tree is listed
}

type platform struct {
	GOOS, GOARCH   string
	Cgo            bool
	Tags, ToolTags []string
}

type directory struct {
	Platform platform
	Names    []string
	Contents [][]byte
}

// A verdict is what go/build/constraint says of a line.
type verdict struct {
	Expr  string `json:"expr"`
	Error string `json:"error"`
}

// A listing is what go/build says of a directory: the files that are built or tested, and those that MatchFile takes.
type listing struct {
	Built   []string `json:"built"`
	Matched []string `json:"matched"`
}

// A source is what go/parser says of a file; a symbol is "kind name line end_line".
type source struct {
	Error   string   `json:"error"`
	Package string   `json:"package"`
	Imports []string `json:"imports"`
	Symbols []string `json:"symbols"`
}

// A branch is one directory of a tree, as `winparity files` prints it.
type branch struct {
	Dir     string              `json:"dir"`
	Files   map[string][]string `json:"files"`
	Symbols map[string][]string `json:"symbols"`
	Broken  []string            `json:"broken"`
}

func main() {
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			panic(err)
		}
		switch {
		case r.Package != nil:
			out.Encode(list(*r.Package))
		case r.Source != nil:
			out.Encode(read(*r.Source))
		case r.Tree != "":
			out.Encode(walk(r.Tree, r.Systems))
		default:
			out.Encode(judge(r.Lines))
		}
	}
}

func judge(lines [][]byte) []verdict {
	verdicts := []verdict{}
	for _, line := range lines {
		expr, err := constraint.Parse(string(line))
		switch {
		case err != nil:
			verdicts = append(verdicts, verdict{Error: err.Error()})
		default:
			verdicts = append(verdicts, verdict{Expr: expr.String()})
		}
	}
	return verdicts
}

// context is what the go command uses for a plain build on the platform.
func (p platform) context() build.Context {
	c := build.Default
	c.GOOS, c.GOARCH, c.CgoEnabled = p.GOOS, p.GOARCH, p.Cgo
	c.BuildTags, c.ToolTags = p.Tags, p.ToolTags
	c.GOROOT, c.GOPATH = "", ""
	return c
}

func list(d directory) listing {
	files := map[string][]byte{}
	for i, name := range d.Names {
		files[name] = d.Contents[i]
	}
	c := d.Platform.context()
	c.JoinPath = func(elements ...string) string { return elements[len(elements)-1] }
	c.IsDir = func(string) bool { return true }
	c.HasSubdir = func(string, string) (string, bool) { return "", false }
	c.ReadDir = func(string) ([]fs.FileInfo, error) {
		entries := []fs.FileInfo{}
		for _, name := range d.Names {
			entries = append(entries, entry(name))
		}
		return entries, nil
	}
	c.OpenFile = func(name string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files[name])), nil
	}
	answer := listing{Built: built(&c, "."), Matched: []string{}}
	for _, name := range d.Names {
		if ok, err := c.MatchFile(".", name); ok && err == nil && strings.HasSuffix(name, ".go") {
			answer.Matched = append(answer.Matched, name)
		}
	}
	slices.Sort(answer.Matched)
	return answer
}

// An entry is a file that exists in a request only.
type entry string

func (e entry) Name() string     { return string(e) }
func (entry) Size() int64        { return 0 }
func (entry) Mode() fs.FileMode  { return 0o644 }
func (entry) ModTime() time.Time { return time.Time{} }
func (entry) IsDir() bool        { return false }
func (entry) Sys() any           { return nil }

// built ignores the error: go/build lists what it can, and says with it that a file is bad or that none is left.
func built(c *build.Context, dir string) []string {
	p, _ := c.ImportDir(dir, 0)
	files := []string{}
	for _, some := range [][]string{p.GoFiles, p.CgoFiles, p.TestGoFiles, p.XTestGoFiles} {
		files = append(files, some...)
	}
	slices.Sort(files)
	return files
}

func read(content []byte) source {
	answer := source{Imports: []string{}, Symbols: []string{}}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "x.go", content, parser.SkipObjectResolution)
	if err != nil {
		answer.Error = err.Error()
	}
	if file == nil {
		return answer
	}
	answer.Package = file.Name.Name
	for _, spec := range file.Imports {
		answer.Imports = append(answer.Imports, strings.Trim(spec.Path.Value, "\"`"))
	}
	symbols(file, func(kind, name string, node ast.Node) {
		from, to := files.PositionFor(node.Pos(), false).Line, files.PositionFor(node.End(), false).Line
		answer.Symbols = append(answer.Symbols, fmt.Sprintf("%s %s %d %d", kind, name, from, to))
	})
	return answer
}

// symbols yields what a file declares at package level, without init and _.
func symbols(file *ast.File, yield func(kind, name string, node ast.Node)) {
	plain := func(kind string, name *ast.Ident, node ast.Node) {
		if name.Name != "_" && name.Name != "init" {
			yield(kind, name.Name, node)
		}
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				plain("func", d.Name, d)
			} else if receiver := receiver(d); receiver != "" && d.Name.Name != "_" {
				yield("method", receiver+"."+d.Name.Name, d)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					plain("type", s.Name, s)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						plain(d.Tok.String(), name, s)
					}
				}
			}
		}
	}
}

// receiver names the type, without pointer stars, parentheses and type parameters.
func receiver(d *ast.FuncDecl) string {
	if len(d.Recv.List) == 0 {
		return ""
	}
	for x := d.Recv.List[0].Type; ; {
		switch t := x.(type) {
		case *ast.StarExpr:
			x = t.X
		case *ast.ParenExpr:
			x = t.X
		case *ast.IndexExpr:
			x = t.X
		case *ast.IndexListExpr:
			x = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// walk lists every directory with a .go file, except those that the contract leaves out.
func walk(root string, systems []platform) []branch {
	branches := []branch{}
	filepath.WalkDir(root, func(where string, d fs.DirEntry, err error) error {
		if err != nil {
			panic(err)
		}
		if !d.IsDir() {
			return nil
		}
		name := d.Name()
		if where != root && (name == "vendor" || name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return fs.SkipDir
		}
		if b := look(root, where, systems); b != nil {
			branches = append(branches, *b)
		}
		return nil
	})
	return branches
}

func look(root, where string, systems []platform) *branch {
	relative, _ := filepath.Rel(root, where)
	b := &branch{filepath.ToSlash(relative), map[string][]string{}, map[string][]string{}, []string{}}
	declared := map[string][]string{}
	entries, _ := os.ReadDir(where)
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ".go" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(where, e.Name()))
		if err != nil {
			continue // a symbolic link to nothing
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), content, parser.SkipObjectResolution)
		if err != nil {
			b.Broken = append(b.Broken, e.Name())
		}
		declared[e.Name()] = []string{}
		if file != nil {
			symbols(file, func(kind, name string, _ ast.Node) {
				declared[e.Name()] = append(declared[e.Name()], kind+" "+name)
			})
		}
	}
	if len(declared) == 0 {
		return nil
	}
	for _, system := range systems {
		c := system.context()
		b.Files[system.GOOS] = built(&c, where)
		found := []string{}
		for _, name := range b.Files[system.GOOS] {
			if !strings.HasSuffix(name, "_test.go") {
				found = append(found, declared[name]...)
			}
		}
		slices.Sort(found)
		b.Symbols[system.GOOS] = slices.Compact(found)
	}
	return b
}
