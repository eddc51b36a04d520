"""Bodies that do nothing, in the forms in which people write them."""

import random
import re

from tests.mutation.code import Function

_ZEROS = {"error": "nil", "string": '""', "bool": "false", "any": "nil", "byte": "0", "rune": "0", "uintptr": "0"}
_NUMBER = re.compile(r"^u?int(?:8|16|32|64)?$|^float(?:32|64)$")
_NIL = re.compile(r"^(?:\*|\[\]|map\[|chan |<-chan |func\(|interface ?\{)")


def zeros(results: list[str], *, error: str = "") -> tuple[str, list[str]]:
    """Declarations and values of a return of nothing, with an error in the last place if one is given."""
    declared, values = "", []
    for number, kind in enumerate(results):
        zero = _ZEROS.get(kind) or ("0" if _NUMBER.match(kind) else "nil" if _NIL.match(kind) else "")
        if error and number == len(results) - 1:
            zero = error
        if not zero:
            zero = f"none{number or ''}"
            declared += f"\tvar {zero} {kind}\n"
        values.append(zero)
    return declared, values


def body_of(inside: str) -> bytes:
    return f"{{\n{inside}}}".encode()


def _literal(kind: str) -> str:
    """A value of a type that holds nothing, other than its zero; "" when none can be told."""
    if kind == "error":
        return "nil"
    if kind.startswith(("[]", "map[")):
        return kind + "{}"
    if re.fullmatch(r"\*(?:\w+\.)?[A-Z]\w*", kind):
        return "&" + kind[1:] + "{}"
    if kind.startswith("func(") and ")" in kind:
        result = kind[kind.rindex(")") + 1 :].strip()
        return f"{kind} {{ return nil }}" if result == "error" else f"{kind} {{}}" if not result else ""
    return ""


def zero_body(function: Function, chance: random.Random) -> tuple[bytes, tuple[str, ...]]:
    comment = chance.choice(["", "", "\t// Windows does without.\n", "\t// TODO: do it on Windows too\n"])
    if not function.results:
        inside = chance.choice([comment, comment + "\treturn\n", '\tslog.Debug("nothing to do on Windows")\n'])
        return (body_of(inside) if inside else b"{}"), ("log/slog",) if "slog" in inside else ()
    if function.named_results and chance.random() < 0.5:
        return body_of(comment + "\treturn\n"), ()
    literal = [_literal(kind) for kind in function.results]
    if "" not in literal and chance.random() < 0.3:
        return body_of(comment + f"\treturn {', '.join(literal)}\n"), ()
    declared, values = zeros(function.results)
    return body_of(comment + declared + f"\treturn {', '.join(values)}\n"), ()


_GRPC = ("google.golang.org/grpc/codes", "google.golang.org/grpc/status")


def error_body(function: Function, chance: random.Random) -> tuple[bytes, tuple[str, ...]]:
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", function.bare).lower()
    error, imports = chance.choice(
        [
            (f'errors.New("{words} is not supported on Windows")', ("errors",)),
            (f'errors.New("{words}: not implemented")', ("errors",)),
            (f'fmt.Errorf("{words} is unsupported on %s", runtime.GOOS)', ("fmt", "runtime")),
            (f'fmt.Errorf("{words}: %w", errors.ErrUnsupported)', ("fmt", "errors")),
            ("errNotSupported", ()),
            (f'errdefs.NotImplemented(errors.New("{words}"))', ("github.com/containerd/errdefs", "errors")),
            (f'status.Error(codes.Unimplemented, "{words}")', _GRPC),
            (f'status.Errorf(codes.Unimplemented, "{words} %s", runtime.GOOS)', (*_GRPC, "runtime")),
            (f'fmt.Errorf("{words}: %w", errdefs.ErrNotImplemented)', ("fmt", "github.com/containerd/errdefs")),
            (f'errors.New("{words} is only available on Linux")', ("errors",)),
            (f'errors.New("Windows does not support {words}")', ("errors",)),
            (f'errors.New("{words} unavailable: not supported on this platform")', ("errors",)),
        ]
    )
    declared, values = zeros(function.results, error=error)
    returned = f"\treturn {', '.join(values)}\n"
    empty = next((n for n, kind in function.parameters.items() if kind.startswith("[]") and n != "_"), None)
    if empty and chance.random() < 0.3:
        given, nothing = zeros(function.results)
        return body_of(f"{given}\tif len({empty}) == 0 {{\n\t\treturn {', '.join(nothing)}\n\t}}\n{returned}"), imports
    unused = next((n for n in sorted(function.parameters) if n != "_"), None)
    if unused and chance.random() < 0.2:
        declared = f"\t_ = {unused}\n" + declared
    return body_of(declared + returned), imports


def _unreached(function: Function) -> str:
    """The return that Go wants after a call that does not come back."""
    declared, values = zeros(function.results)
    return declared + f"\treturn {', '.join(values)}\n" if values else ""


def panic_body(function: Function, chance: random.Random) -> tuple[bytes, tuple[str, ...]]:
    inside, imports = chance.choice(
        [
            ('\tpanic("not implemented")\n', ()),
            ('\tpanic("not supported on Windows")\n', ()),
            ('\tpanic(errors.New("not implemented on Windows"))\n', ("errors",)),
            ('\tpanic(fmt.Sprintf("not implemented on %s", runtime.GOOS))\n', ("fmt", "runtime")),
            ('\tlog.Fatal("not supported on Windows")\n' + _unreached(function), ("log",)),
            ('\tpanic("unreachable: unsupported platform")\n', ()),
        ]
    )
    return body_of(inside), imports
