"""The page as one of the daemon's tasks: opening it, what stands in the way, and its end."""

from __future__ import annotations

import socket
import subprocess
import sys

import anyio
import httpx
import pytest
from rich.console import Console

from daemon import app, config
from daemon.host import instance_lock
from daemon.web.web_enabled import web_outlook
from freeal.errors import ConfigError


def _loaded(tmp_path, **web):
    text = "web:\n  enabled: true\n" + "".join(f"  {key}: {value}\n" for key, value in web.items())
    (tmp_path / "freeal.yaml").write_text(text)
    return config.load(tmp_path / "freeal.yaml", environment={})


def test_an_address_that_is_taken_is_a_configuration_error(tmp_path):
    """Nothing else has begun by then, and what to do is said."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        loaded = _loaded(tmp_path, port=other.getsockname()[1])
        with pytest.raises(ConfigError, match="Address already in use") as caught:
            app.serve(loaded, once=False, console=Console(stderr=True))
    assert "web.port" == caught.value.where.key
    assert "web.enabled" in caught.value.hint
    assert not (tmp_path / "state" / "uploads").exists()


@pytest.mark.parametrize("host", ["not a host", "203.0.113.77"])
def test_an_address_that_is_not_ours_is_a_configuration_error(tmp_path, host):
    """A name that means nothing, an address of another machine."""
    with pytest.raises(ConfigError, match="listen on"):
        app.serve(_loaded(tmp_path, host=host), once=False, console=Console(stderr=True))


def test_a_run_once_has_no_page(tmp_path):
    """It is soon over; an address that is taken does not matter."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        loaded = _loaded(tmp_path, port=other.getsockname()[1])
        assert 0 == app.serve(loaded, once=True, console=Console(stderr=True)).exit_code


def test_without_the_extra_it_is_a_configuration_error(tmp_path):
    """It names the package and how to install it."""
    _loaded(tmp_path)
    code = "import sys; sys.modules['starlette'] = None; from daemon.cli.command_line import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 78 == done.returncode
    assert "the live page needs the package 'starlette', which is not installed" in done.stderr
    assert "freeal.yaml:2" in done.stderr
    assert "pip install 'freeal-daemon[web]'" in done.stderr


def test_check_says_where_the_page_is_and_who_may_act(tmp_path):
    """And what is wrong with its token."""
    (tmp_path / "token").write_text("a-token-of-some-length")
    loaded = _loaded(tmp_path, token_file="token", port=0)
    assert "127.0.0.1 port 0; people act with the token, others look" == web_outlook(loaded, {})
    (tmp_path / "token").write_text("short")
    with pytest.raises(ConfigError, match="no usable token"):
        web_outlook(loaded, {})
    assert "freely on this machine" in web_outlook(_loaded(tmp_path, port=0), {})


def test_check_finds_a_port_in_use_unless_the_service_itself_holds_it(tmp_path):
    """What would keep the service from starting is no `ok`; a service that runs is what listens there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        loaded = _loaded(tmp_path, port=port)
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}"):
            web_outlook(loaded, {})
        loaded.settings.state.mkdir(exist_ok=True)
        with instance_lock.hold_instance_lock(loaded.settings.state):
            assert f"port {port}" in web_outlook(loaded, {})


def test_a_daemon_without_the_page_loads_nothing_of_it():
    """It stays as light as before."""
    code = "import sys, daemon.app; print({'starlette', 'uvicorn', 'python_multipart'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "set()" == done.stdout.strip()


def test_it_serves_until_it_is_stopped_and_then_ends_open_streams(stage):
    """A browser that listens does not hold up the daemon's stop, and the port is free again."""
    stage.open()
    url = stage.live.url

    async def run():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stage.live.run)
            async with httpx.AsyncClient(base_url=url) as client:
                assert 200 == (await client.get("/healthz")).status_code
                async with client.stream("GET", "/events") as answer:
                    assert "text/event-stream; charset=utf-8" == answer.headers["content-type"]
                    lines = answer.aiter_lines()
                    assert ": hello" == await anext(lines)
                    tasks.cancel_scope.cancel()
                    with anyio.CancelScope(shield=True):
                        rest = [line async for line in lines]
        return rest

    rest = stage.portal.call(run)
    assert "retry: 2000" in rest
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
