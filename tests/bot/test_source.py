"""Git to snapshots: what is read, what is named as unread, what is never run, and how little is fetched."""

import os
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import ObjectType

from analyzer.model import Snapshot
from bot import git as git_command
from bot import source
from bot.demo.sample import commit, git
from bot.git import SourceError
from bot.ids import Sha
from bot.source import LocalRepository
from tests.bot.conftest import Template

File, Link, Submodule = "100644", "120000", "160000"
AWAY = Sha("0123456789abcdef0123456789abcdef01234567")
_WHO = {f"GIT_{role}_{what}": "x@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An empty repository."""
    folder = tmp_path / "bare.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", ".")
    return folder


def _raw(folder: Path, *args: str, stdin: bytes = b"") -> str:
    """Git with bytes as its input."""
    done = git_command.run(folder, *args, stdin=stdin, env=_WHO)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def _blob(folder: Path, content: bytes) -> str:
    return _raw(folder, "hash-object", "-w", "--stdin", stdin=content)


def _tree(folder: Path, *entries: tuple[str, str, bytes]) -> str:
    """A tree of (mode, object, name), names as they are given."""
    kinds = {"040000": "tree", Submodule: "commit"}
    lines = [f"{mode} {kinds.get(mode, 'blob')} {oid}\t".encode() + name for mode, oid, name in entries]
    return _raw(folder, "mktree", "-z", "--missing", stdin=b"".join(line + b"\0" for line in lines))


def _committed(folder: Path, tree: str) -> Sha:
    return Sha(_raw(folder, "commit-tree", tree, "-m", "x"))


def _read(folder: Path, rev: Sha) -> dict[str, bytes]:
    return {path: file.content for path, file in LocalRepository(folder).snapshot(rev).files.items()}


# What is read.


def test_go_files_are_read_as_they_are(bare: Path) -> None:
    rev = commit(
        bare, {"a.go": "package a\r\n", "b/b_test.go": "package b", "b/c/d.go": "", "b/x.c": "", "go": ""}, "x"
    )
    snapshot = LocalRepository(bare).snapshot(rev)
    assert snapshot.rev == rev
    assert {path: file.content for path, file in snapshot.files.items()} == {
        "a.go": b"package a\r\n",
        "b/b_test.go": b"package b",
        "b/c/d.go": b"",
    }
    assert snapshot.unreadable == ()
    assert [file.path for file in snapshot.files.values()] == list(snapshot.files)
    assert snapshot.files["a.go"].blob == git(bare, "rev-parse", f"{rev}:a.go")


@pytest.mark.parametrize(
    "folder", ["vendor", "testdata", ".github", "_old", "x/vendor", "x/testdata/y", "x/.y/z", "x/_"]
)
def test_folders_that_go_leaves_out_are_left_out(bare: Path, folder: str) -> None:
    before = commit(bare, {"a.go": "package a\n"}, "x")
    after = commit(bare, {"a.go": "package a\n", f"{folder}/b.go": "package b\n"}, "y")
    assert set(_read(bare, after)) == {"a.go"}
    assert [side.files for side in LocalRepository(bare).snapshots(before, after)] == [{}, {}]


@pytest.mark.parametrize("folder", ["vendored", "x/testdata2", "a.b", "a_", "Vendor"])
def test_folders_that_only_look_so_are_read(bare: Path, folder: str) -> None:
    assert set(_read(bare, commit(bare, {f"{folder}/b.go": ""}, "x"))) == {f"{folder}/b.go"}


def test_only_changed_folders_are_read_and_those_whole(bare: Path) -> None:
    tree = {f"{where}{name}.go": "package p\n" for where in ("", "a/", "a/b/", "c/", "d/") for name in ("one", "two")}
    before = commit(bare, {**tree, "c/x.txt": "1", "gone/g.go": "package g\n"}, "x")
    after = commit(bare, {**tree, "a/b/one.go": "package b\n", "c/x.txt": "2", "new/n.go": "package n\n"}, "y")
    old, new = LocalRepository(bare).snapshots(before, after)
    assert set(old.files) == {"a/b/one.go", "a/b/two.go", "gone/g.go"}
    assert set(new.files) == {"a/b/one.go", "a/b/two.go", "new/n.go"}
    assert (old.rev, new.rev) == (before, after)
    assert old.files["a/b/one.go"].content != new.files["a/b/one.go"].content


def test_a_moved_file_changes_both_folders(bare: Path) -> None:
    before = commit(bare, {"a/x.go": "package p\n", "a/y.go": "package p\n", "b/z.go": "package p\n"}, "x")
    after = commit(bare, {"a/y.go": "package p\n", "b/x.go": "package p\n", "b/z.go": "package p\n"}, "y")
    old, new = LocalRepository(bare).snapshots(before, after)
    assert set(old.files) == {"a/x.go", "a/y.go", "b/z.go"}
    assert set(new.files) == {"a/y.go", "b/x.go", "b/z.go"}


def test_equal_revisions_hold_nothing(template: Template) -> None:
    old, new = LocalRepository(template.folder).snapshots(template.main, template.main)
    assert (old.files, new.files) == ({}, {})


def test_a_work_tree_or_a_folder_in_it_is_a_repository(tmp_path: Path, template: Template) -> None:
    git(tmp_path, "clone", "--quiet", str(template.folder), "work")
    for path in (tmp_path / "work", tmp_path / "work" / "b", tmp_path / "work" / ".git"):
        assert LocalRepository(path).resolve("HEAD") == template.main


@pytest.mark.parametrize("path", ["away", "empty", "file"])
def test_what_is_no_repository_is_said_to_be_none(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceError, match="--repo"):
        LocalRepository(tmp_path / path)


def test_a_repository_of_a_kind_that_cannot_be_read_is_named(bare: Path) -> None:
    git(bare, "config", "core.repositoryFormatVersion", "1")
    git(bare, "config", "extensions.ofTheFuture", "true")
    with pytest.raises(SourceError, match="cannot be read"):
        LocalRepository(bare)


# What is named as unread.


def _reasons(snapshot: Snapshot) -> dict[str, str]:
    return {entry.path: entry.reason for entry in snapshot.unreadable}


def test_what_is_not_read_is_named(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 20)
    rev = _committed(
        bare,
        _tree(
            bare,
            (File, _blob(bare, b"package a\0"), b"binary.go"),
            (File, _blob(bare, b"package a // 0123456"), b"largest.go"),
            (Link, _blob(bare, b"/etc/passwd"), b"link.go"),
            (Link, _blob(bare, b"x"), b"link"),
            (File, str(AWAY), b"missing.go"),
            (Submodule, str(AWAY), b"module.go"),
            (Submodule, str(AWAY), b"module"),
            ("040000", _tree(bare), b"folder.go"),
            ("100755", _blob(bare, b"package a"), b"runs.go"),
            (File, _blob(bare, b"package a // 01234567"), b"too_large.go"),
        ),
    )
    snapshot = LocalRepository(bare).snapshot(rev)
    assert set(snapshot.files) == {"largest.go", "runs.go"}
    reasons = _reasons(snapshot)
    assert reasons.pop("too_large.go").startswith("larger than")
    assert reasons.pop("missing.go").startswith("its content is not in this clone")
    assert reasons == {"binary.go": "binary", "link.go": "a symbolic link"}


def test_an_entry_that_is_no_file_is_named(bare: Path) -> None:
    line = b"100644 tree.go\0" + bytes.fromhex(_tree(bare, (File, _blob(bare, b"x"), b"x")))
    tree = _raw(bare, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=line)
    assert _reasons(LocalRepository(bare).snapshot(_committed(bare, tree))) == {"tree.go": "not a file"}


@pytest.mark.parametrize(("limit", "value"), [("MAX_FILES", 2), ("MAX_TOTAL_BYTES", 19)])
def test_files_beyond_the_limit_are_named(bare: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(source, limit, value)
    snapshot = LocalRepository(bare).snapshot(commit(bare, {f"{name}.go": "package a\n" for name in "abcd"}, "x"))
    assert set(snapshot.files) == {"a.go", "b.go"}
    assert [(path, reason[:6]) for path, reason in _reasons(snapshot).items()] == [
        ("c.go", "beyond"),
        ("d.go", "beyond"),
    ]


def test_folders_that_are_nested_too_deep_are_named(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_DEPTH", 2)
    before = commit(bare, {"a/b/x.go": "package b\n", "a/y.go": "package a\n"}, "x")
    after = commit(bare, {"a/b/x.go": "package b\n", "a/y.go": "package a\n", "a/b/c/d/z.go": "package d\n"}, "y")
    local = LocalRepository(bare)
    old, new = local.snapshots(before, after)
    assert set(old.files) == set(new.files) == {"a/b/x.go"}
    assert _reasons(old) == {}
    assert _reasons(new) == {"a/b": "folders in it are nested deeper than 2"}
    assert set(local.snapshot(after).files) == {"a/b/x.go", "a/y.go"}
    assert _reasons(local.snapshot(after)) == _reasons(new)


def test_a_tree_of_any_depth_ends(bare: Path) -> None:
    tree = _tree(bare, (File, _blob(bare, b"package x\n"), b"x.go"))
    objects = pygit2.Repository(str(bare)).odb
    for _ in range(2000):
        tree = str(objects.write(ObjectType.TREE, b"40000 d\0" + bytes.fromhex(tree)))
    before, after = commit(bare, {"a.go": ""}, "x"), _committed(bare, tree)
    local = LocalRepository(bare)
    assert len(_reasons(local.snapshot(after))) == 1
    assert len(_reasons(local.snapshots(before, after)[1])) == 1


def test_a_partial_clone_says_what_it_lacks(tmp_path: Path, template: Template) -> None:
    git(template.folder, "config", "uploadpack.allowFilter", "true")
    url = f"file://{template.folder}"
    git(tmp_path, "clone", "--quiet", "--bare", "--filter=blob:none", url, "blobless")
    git(tmp_path, "clone", "--quiet", "--bare", "--filter=tree:0", url, "treeless")
    old, new = LocalRepository(tmp_path / "blobless").snapshots(template.fork_point, template.change)
    assert (old.files, new.files) == ({}, {})
    assert set(_reasons(new)) == {"b/b_linux.go", "b/b_windows.go"}
    with pytest.raises(SourceError, match="fetch"):
        LocalRepository(tmp_path / "treeless").snapshots(template.fork_point, template.change)


# Hostile names and revisions.


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"a\nb.go", "a\nb.go"),
        (b"a\"b'.go", "a\"b'.go"),
        (b"-x.go", "-x.go"),
        (b"--upload-pack=x.go", "--upload-pack=x.go"),
        (b"$(touch x).go", "$(touch x).go"),
        (b"a\xffb.go", "a\\xffb.go"),
        (b"..x.go", "..x.go"),
        (b"...go", "...go"),
        (b"\xe2\x80\xaeog.exe.go", "\u202eog.exe.go"),
        (b"a\tb\\.go", "a\tb\\.go"),
        (b".go", ".go"),
    ],
)
def test_any_name_is_read(bare: Path, name: bytes, path: str) -> None:
    inner = _tree(bare, (File, _blob(bare, b"package x\n"), name))
    top = _tree(bare, (File, _blob(bare, b"package y\n"), name), ("040000", inner, b"d-" + name))
    before, after = commit(bare, {"other.go": ""}, "x"), _committed(bare, top)
    new = LocalRepository(bare).snapshots(before, after)[1]
    assert set(new.files) == {path, f"d-{path}/{path}"}
    assert new.unreadable == ()


def test_no_name_leads_out_of_the_repository(bare: Path) -> None:
    inner = bytes.fromhex(_tree(bare, (File, _blob(bare, b"package x\n"), b"x.go")))
    lines = b"".join(b"40000 " + name + b"\0" + inner for name in (b".", b"..", b".git"))
    tree = _raw(bare, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=lines)
    assert _read(bare, _committed(bare, tree)) == {}


@pytest.mark.parametrize(
    "rev",
    ["main", "HEAD", "refs/heads/change", "main^", "main~1", ":/second", "main^{/first}", "tagged", "main^{commit}"],
)
def test_a_revision_is_what_git_takes(tmp_path: Path, template: Template, rev: str) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(template.folder), "own")
    git(tmp_path / "own", "tag", "-a", "-m", "x", "tagged", template.change)
    expected = Sha(git(tmp_path / "own", "rev-parse", f"{rev}" if rev != "tagged" else "tagged^{commit}"))
    assert LocalRepository(tmp_path / "own").resolve(rev) == expected
    assert LocalRepository(tmp_path / "own").resolve(expected[:10]) == expected


@pytest.mark.parametrize(
    "rev",
    [
        *("--upload-pack=x", "-h", "--help", "--all", "--", "-", "--verify", "--git-dir", "--end-of-options"),
        *(
            "",
            " ",
            "main..change",
            "main...change",
            "^main",
            "main^!",
            "main -- b",
            "main\n",
            "a\0b",
            "\udcff",
        ),
        *("HEAD:a.go", "main:", "HEAD^{tree}", "main^{blob}", "away", AWAY, AWAY[:8], "@{upstream}", "x" * 10_000),
    ],
)
def test_what_names_no_commit_is_said_to_name_none(template: Template, rev: str) -> None:
    with pytest.raises(SourceError, match="no commit"):
        LocalRepository(template.folder).resolve(rev)


def test_the_merge_base_is_gits_own(template: Template) -> None:
    local = LocalRepository(template.folder)
    assert local.merge_base(template.main, template.change) == template.fork_point
    assert local.merge_base(template.fork_point, template.main) == template.fork_point


def test_without_a_merge_base_it_says_what_to_do(bare: Path) -> None:
    one, two = commit(bare, {"a.go": ""}, "x"), commit(bare, {"b.go": ""}, "y")
    for other in (two, AWAY):
        with pytest.raises(SourceError, match="--no-merge-base"):
            LocalRepository(bare).merge_base(one, other)


def test_a_commit_that_is_not_there_is_named(template: Template) -> None:
    local = LocalRepository(template.folder)
    for ask in (lambda: local.snapshot(AWAY), lambda: local.snapshots(template.main, AWAY)):
        with pytest.raises(SourceError, match=AWAY):
            ask()


def test_nothing_of_a_repository_is_run(tmp_path: Path, template: Template) -> None:
    git(tmp_path, "clone", "--quiet", str(template.folder), "work")
    work, ran = tmp_path / "work", tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "filter.x.smudge", "diff.external"):
        git(work, "config", key, str(script))
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("reference-transaction", "post-checkout", "post-index-change"):
        (hooks / hook).symlink_to(script)
    git(work, "config", "core.hooksPath", str(hooks))
    (work / ".git/info/attributes").write_text("*.go filter=x\n")
    local = LocalRepository(work)
    local.snapshots(local.merge_base(template.main, template.change), local.resolve("origin/change"))
    assert not ran.exists()


def test_git_that_is_not_there_is_named(template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = LocalRepository(template.folder)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="not installed"):
        local.resolve("main")


def test_git_that_takes_too_long_is_named(template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(git_command, "GIT_TIMEOUT", 1)
    with pytest.raises(SourceError, match="longer than"):
        LocalRepository(template.folder).resolve("main")
