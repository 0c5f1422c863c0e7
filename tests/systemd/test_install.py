"""The steps of the page on systemd, and what people may do afterwards. Needs root, namespaces and systemd's tools."""

from __future__ import annotations

import subprocess

import pytest

pytestmark = pytest.mark.slow

_STATUS = (
    "cd /opt/freeal; sudo -u freeal env STATE_DIRECTORY=/var/lib/freeal .venv/bin/python -m daemon status --config"
)


def test_every_step_of_the_page_does_what_it_says(installed):
    """User, folders, settings, unit, drop-ins and key are in place, and the unit starts with the machine."""
    assert installed.path("/etc/systemd/system/multi-user.target.wants/freeal.service").is_symlink()
    assert 0o600 == installed.path("/etc/freeal/anthropic_api_key").stat().st_mode & 0o777
    modes = {name: f"{installed.path(name).stat().st_mode & 0o7777:o}" for name in ("/srv/freeal", "/srv/freeal/inbox")}
    assert {"/srv/freeal": "750", "/srv/freeal/inbox": "2770"} == modes
    assert "freeal" in installed.run("id -nG alice").stdout.split()


def test_status_works_as_the_service_s_user(installed):
    """The line of the page answers; without a service it is 1 and says so."""
    done = installed.run(f"{_STATUS} /etc/freeal/freeal.yaml")
    assert (1, True) == (done.returncode, "no daemon is running" in done.stdout), done.stderr


def test_what_a_person_drops_the_service_may_take_and_nobody_else_may_see(installed):
    """Readable for the group whatever the person's umask, movable by the service, out of reach for others."""
    dropped = installed.run("umask 077; echo a > /srv/freeal/inbox/hers.csv", person="alice")
    assert 0 == dropped.returncode, dropped.stderr
    script = "cd /srv/freeal/inbox; cat hers.csv && mv hers.csv /var/lib/freeal/ && cat /var/lib/freeal/hers.csv"
    taken = subprocess.run(
        installed.under_limits(["/bin/sh", "-c", script]), capture_output=True, text=True, check=False
    )
    assert "a\na\n" == taken.stdout, taken.stderr
    assert 0 != installed.run("ls /srv/freeal/inbox", person="nobody").returncode
    assert 0 != installed.run("ls /var/lib/freeal", person="alice").returncode


@pytest.mark.parametrize(
    "script",
    [
        "touch /opt/freeal/x",
        "touch /etc/x",
        "echo 'echo hello' > /srv/freeal/x; chmod +x /srv/freeal/x; /srv/freeal/x",
        "chmod g+s /srv/freeal/inbox/x",
        "unshare --user true",
        "cat /etc/freeal/anthropic_api_key",
        "test -e /dev/mem -o -e /dev/vda",
        "test -d /proc/1",
    ],
)
def test_the_service_may_not(installed, script):
    """What the unit forbids is refused in the sandbox of these tests: it has an effect."""
    prepared = f"touch /srv/freeal/inbox/x\n{script}"
    done = subprocess.run(
        installed.under_limits(["/bin/sh", "-c", prepared]), capture_output=True, text=True, check=False
    )
    assert 0 != done.returncode, done.stdout
    assert "seccomp: " in done.stderr
