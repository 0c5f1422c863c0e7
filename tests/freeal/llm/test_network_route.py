"""freeal/llm/network_route.py: which proxy and certificates hold for an address, and what to say of them."""

from __future__ import annotations

import pytest

from freeal.errors import ConfigError
from freeal.llm.endpoint_url import endpoint_url
from freeal.llm.network_route import Route, route_to

HERE = "http://127.0.0.1:8000/v1"
AWAY = "https://llm.example.com/v1"


@pytest.mark.parametrize(
    "address", [HERE, "http://localhost:1/v1", "http://[::1]:8/", "http://0.0.0.0:80", "http://a.localhost"]
)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_this_machine_is_never_reached_through_a_proxy(address, variable):
    """Not even through one that could not be used."""
    assert None is route_to(address, {variable: "socks4://nowhere:1"}).proxy


@pytest.mark.parametrize(
    ("environ", "proxy", "variable"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://p:3128", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "p:3128"}, "http://p:3128", "HTTPS_PROXY"),
        ({"HTTP_PROXY": "http://p:3128"}, None, None),
        ({"ALL_PROXY": "socks://p:7891/"}, "socks5://p:7891/", "ALL_PROXY"),
        ({"ALL_PROXY": "socks5h://p:7891", "https_proxy": "http://q:1"}, "http://q:1", "https_proxy"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other.com, example.com"}, None, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": ".example.com"}, None, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "llm.example.com:443"}, "http://p:1", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "ample.com"}, "http://p:1", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None, None),
    ],
)
def test_the_environment_decides(environ, proxy, variable):
    """The variable that decided is known by name."""
    route = route_to(AWAY, environ)
    assert (proxy, variable) == (route.proxy, route.proxy_variable)


def test_an_address_range_is_exempt():
    """As administrators write it."""
    environ = {"HTTP_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}
    assert None is route_to("http://10.1.2.3:8000/v1", environ).proxy
    assert "http://p:1" == route_to("http://11.1.2.3:8000/v1", environ).proxy


@pytest.mark.parametrize("proxy", ["socks4://p:1", "ftp://p", "http://", "http://p:notaport"])
def test_a_proxy_that_cannot_be_used_is_a_setting_to_mend(proxy):
    """The variable is named, and a password in it is not shown."""
    with pytest.raises(ConfigError, match=r"ALL_PROXY.*which cannot be used"):
        route_to(AWAY, {"ALL_PROXY": proxy})
    with pytest.raises(ConfigError) as caught:
        route_to(AWAY, {"ALL_PROXY": "socks4://user:secret@p:1"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["127.0.0.1:8000/v1", "localhost:11434", "ftp://x", "http://", "http://x:99999999"])
def test_an_address_that_is_none_is_refused_before_anything_is_sent(address):
    """With an example of one."""
    with pytest.raises(ConfigError, match=r"llm\.base_url"):
        route_to(address, {})


def test_messages_name_the_way():
    """Address, proxy and variable, without password or query."""
    route = route_to("https://user:pw@llm.example.com/v1?key=k", {"HTTPS_PROXY": "http://me:secret@p:3128"})
    assert "https://llm.example.com/v1 through the proxy http://****@p:3128 (environment variable HTTPS_PROXY)" == str(
        route
    )
    assert "NO_PROXY" in route.advice_on_failure("Connection refused")
    assert "SSL_CERT_FILE" in route.advice_on_failure("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")
    assert "is the server running" in Route(HERE).advice_on_failure("nothing answers there")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_none_are_named(tmp_path, variable):
    """Missing, or no certificates; a server without https does not care."""
    with pytest.raises(ConfigError, match=f"{variable} names .*does not exist"):
        route_to(AWAY, {variable: str(tmp_path / "missing.pem")}).tls_context()
    (tmp_path / "odd.pem").write_text("nothing")
    with pytest.raises(ConfigError, match=f"{variable} names .*holds no certificates"):
        route_to(AWAY, {variable: str(tmp_path / "odd.pem")}).tls_context()
    assert None is route_to(HERE, {variable: str(tmp_path / "missing.pem")}).tls_context()


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1?api-version=2024-10-21", "http://h/v1/chat/completions?api-version=2024-10-21"),
        (" http://h/v1/chat/completions/?a=b ", "http://h/v1/chat/completions?a=b"),
    ],
)
def test_the_endpoint_of_a_base_address(base_url, address):
    """A query stays at the end, a path that is there is not added again."""
    assert address == endpoint_url(base_url, "/chat/completions")
