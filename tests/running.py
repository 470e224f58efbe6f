"""The binary under test, and verbs that run until they are stopped. For other test programs."""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def binary():
    """$ATHANOR_BIN or the newest of build/*/bin/athanor."""
    if "ATHANOR_BIN" in os.environ:
        return os.environ["ATHANOR_BIN"]
    built = [p for p in ROOT.glob("build/*/bin/athanor") if p.exists()]
    return str(max(built, key=lambda p: p.stat().st_mtime))


class Running:
    """A verb that answers on a port, from its JSON document to its end."""

    def __init__(self, *arguments, port_key="port", **env):
        self.process = subprocess.Popen([binary(), *map(str, arguments), "--json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})
        lines = []
        while not lines or lines[-1] != "}\n":
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(self.process.communicate()[1])
            lines.append(line)
        self.facts = json.loads("".join(lines))
        self.port = self.facts[port_key]

    def request(self, method, path, body=None, headers=None):
        """status, headers, body"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def raw(self, data, wait=10):
        """What comes back for these bytes on a connection of their own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            return answer

    def stop(self, number=signal.SIGTERM):
        """exit code, what it said"""
        # communicate() also closes the pipes.
        self.process.send_signal(number)
        text = self.process.communicate(timeout=60)[1]
        return self.process.returncode, text


class SharedServer(unittest.TestCase):
    """One server for the tests of a class, made by `start`; it must be alive after each."""

    @classmethod
    def start(cls):
        raise NotImplementedError

    def alive(self):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.server = cls.start()

    @classmethod
    def tearDownClass(cls):
        code, text = cls.server.stop()
        assert code == 0, text

    def tearDown(self):
        self.assertEqual(self.alive(), 200)
