"""`make audit`: known vulnerabilities of what the server installs, and mistakes in workflow files.

It fails for what is found. Where the vulnerability service cannot be reached it says that nothing was audited, which is
neither a failure nor a pass: pip-audit itself calls that "No known vulnerabilities".
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PIP_AUDIT = ("-r", "requirements.txt", "--require-hashes", "--disable-pip", "--progress-spinner", "off", "-f", "json")


def verdict(report: Mapping[str, Any] | None, why: str = "") -> tuple[int, list[str]]:
    """What an audit came to: the exit code, and what to say.

    Args:
        report: pip-audit's JSON; None when there is none.
        why: the last thing that it said otherwise.
    """
    if report is None:
        return 0, [f"NOT AUDITED: {why or 'pip-audit said nothing'}"]
    known = report["dependencies"]
    skipped = [entry for entry in known if "skip_reason" in entry]
    found = [(entry, vulnerability) for entry in known for vulnerability in entry.get("vulns", ())]
    lines = [
        f"{entry['name']} {entry['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'no version yet'}"
        for entry, one in found
    ]
    audited = len(known) - len(skipped)
    if skipped or not known:
        first = skipped[0]["skip_reason"] if skipped else "there is nothing to audit"
        lines.append(f"NOT AUDITED: {len(skipped)} of {len(known)} packages ({first})")
    lines.append(f"audited {audited} packages: {len(found)} vulnerabilities")
    return int(bool(found)), lines


def main() -> int:
    """Audit."""
    done = _run("pip_audit", *PIP_AUDIT)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        report = None
    code, lines = verdict(report, (done.stderr.strip().splitlines() or [""])[-1])
    print("\n".join(lines))  # noqa: T201 - it is a command
    return max(
        code, subprocess.run([Path(sys.executable).parent / "zizmor", "--offline", ROOT], check=False).returncode
    )


def _run(module: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
