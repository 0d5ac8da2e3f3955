"""Ask whether anything that these lock files list has a published fault.

Exits with 0 when nothing has, with 1 when something has, and with 75 (EX_TEMPFAIL of sysexits.h)
when nobody could be asked, be it of one package only. Needs pip-audit: `make audit`.
"""

import json
import subprocess
import sys
from typing import Any

FAULTS, NOT_ASKED = 1, 75
SECONDS = 300
PIP_AUDIT = ["-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off"]


def main(files: list[str]) -> int:
    listed = [f"--requirement={name}" for name in files]
    command = [sys.executable, *PIP_AUDIT, "--format=json", *listed]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS)
        return judged(json.loads(done.stdout)["dependencies"])
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        return not_asked(f"pip-audit gave no report ({type(error).__name__})")


def judged(packages: list[dict[str, Any]]) -> int:
    told = [said(one, fault) for one in packages for fault in one.get("vulns", [])]
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    if told:
        print("\n".join(told))
        return FAULTS
    if unknown or not packages:
        return not_asked(f"nothing is known of {len(unknown)} of {len(packages)} packages")
    print(f"audit: none of {len(packages)} packages has a published fault")
    return 0


def said(package: dict[str, Any], fault: dict[str, Any]) -> str:
    mended = ", ".join(fault["fix_versions"]) or "no version yet"
    return f"{package['name']} {package['version']}: {fault['id']}, mended in {mended}"


def not_asked(why: str) -> int:
    print(f"NOT AUDITED: no source of advisories could be reached: {why}", file=sys.stderr)
    return NOT_ASKED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
