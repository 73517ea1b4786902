"""Who may reach the service: this machine, or whoever bears a token that cannot be guessed."""

import pytest
from tests.server.conftest import TOKEN

from lookonce.errors import UsageError
from lookonce.server.settings import is_loopback, read_token


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_alone_needs_no_token(host):
    assert is_loopback(host)
    assert read_token(host, None) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", "localhost.example.org", ""])
def test_another_address_is_refused_without_a_token(host):
    with pytest.raises(UsageError, match="give --token-file FILE"):
        read_token(host, None)


def test_the_token_is_the_line_in_the_file(tmp_path):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token("0.0.0.0", tmp_path / "token") == read_token("127.0.0.1", tmp_path / "token") == TOKEN


@pytest.mark.parametrize("content", ["", "\n", "secret", TOKEN[1:], f"{TOKEN}\n{TOKEN}", f"{TOKEN} {TOKEN}", "é" * 40])
def test_a_token_that_can_be_guessed_or_is_none_is_refused(tmp_path, content):
    (tmp_path / "token").write_text(content)
    with pytest.raises(UsageError, match="must hold one line of 32 or more"):
        read_token("0.0.0.0", tmp_path / "token")


def test_a_token_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"token: the token cannot be read \(No such file"):
        read_token("0.0.0.0", tmp_path / "token")
