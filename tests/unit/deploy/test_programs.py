"""Ports for servers: nobody else is given one between its choice and its server's start."""

from __future__ import annotations

import socket
import sys

import pytest

from deploy.local.programs import LOOPBACK, answers, free_port, is_free


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot keep a port for a server")
def test_a_free_port_is_nobody_elses_until_its_server_listens() -> None:
    port = free_port()

    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind((LOOPBACK, port))  # as the kernel's own draw: without SO_REUSEADDR
    assert not answers(port)


def test_a_server_can_be_started_on_a_free_port_again_and_again() -> None:
    port = free_port()

    for _ in range(2):
        assert is_free(port)
        with socket.create_server((LOOPBACK, port)):
            assert answers(port)
            assert not is_free(port)
