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

ARCH_TAGS = {
    "386": frozenset({"386.sse2"}),
    "amd64": frozenset({"amd64.v1"}),
    "arm": frozenset({"arm.5", "arm.6", "arm.7"}),
    "arm64": frozenset({"arm64.v8.0"}),
    "mips": frozenset({"mips.hardfloat"}),
    "mipsle": frozenset({"mipsle.hardfloat"}),
    "mips64": frozenset({"mips64.hardfloat"}),
    "mips64le": frozenset({"mips64le.hardfloat"}),
    "ppc64": frozenset({"ppc64.power8"}),
    "ppc64le": frozenset({"ppc64le.power8"}),
    "riscv64": frozenset({"riscv64.rva20u64"}),
    "wasm": frozenset({"wasm.satconv", "wasm.signext"}),
}
"""Feature tags of the default GOAMD64, GOARM64 and so on (``go list -f '{{context.ToolTags}}' unsafe``)."""

EXPERIMENTS = frozenset(
    f"goexperiment.{name}" for name in "jsonv2 greenteagc randomizedheapbase64 sizespecializedmalloc".split()
)
"""The experiments that Go 1.27 has on by default on every platform (internal/buildcfg, ParseGOEXPERIMENT)."""

DWARF5 = "goexperiment.dwarf5"
NO_DWARF5_GOOS = frozenset({"aix", "darwin", "ios"})
"""An experiment that is on everywhere but there."""

REGABI = frozenset({"goexperiment.regabiwrappers", "goexperiment.regabiargs"})
REGABI_GOARCH = frozenset("amd64 arm64 loong64 ppc64 ppc64le riscv64 s390x".split())
"""Experiments that are on there only."""
