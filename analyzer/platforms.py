"""What Go knows of platforms: nothing but data, as internal/syslist and go/build have it in Go 1.27."""

KNOWN_GOOS = frozenset(
    "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows "
    "zos".split()
)
UNIX_GOOS = frozenset("aix android darwin dragonfly freebsd hurd illumos ios linux netbsd openbsd solaris".split())
KNOWN_GOARCH = frozenset(
    "386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 "
    "ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm".split()
)

IMPLIED_GOOS = {"android": "linux", "illumos": "solaris", "ios": "darwin"}
"""A system that satisfies the tag of another one too (go/build, matchTag)."""

LATEST_RELEASE = 27
"""The highest N of the ``go1.N`` tags: a plain build with the current toolchain satisfies all up to it."""

TOOL_TAGS = frozenset({"gc", *(f"go1.{n}" for n in range(1, LATEST_RELEASE + 1))})
"""Tags that a plain build with the current toolchain satisfies on every platform."""

ARCH_TAGS = {"amd64": frozenset({"amd64.v1"}), "arm64": frozenset({"arm64.v8.0"}), "386": frozenset({"386.sse2"})}
"""Feature tags of the default GOAMD64, GOARM64 and GO386."""

EXPERIMENTS = frozenset(
    f"goexperiment.{name}"
    for name in (
        "regabiwrappers regabiargs dwarf5 jsonv2 greenteagc randomizedheapbase64 sizespecializedmalloc".split()
    )
)
"""The experiments that Go 1.27 has on by default on amd64 (``go list -f '{{context.ToolTags}}'``)."""
