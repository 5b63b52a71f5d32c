"""A Kafka broker that asks who is there: for a client's certificate on one port, for user and password on another.

What the tests of TLS and SASL connect to; certificates and users are made for it.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.brokers import Brokers, libraries, quick_java
from tests.ports import free_ports

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

MODULES = "org.apache.kafka.common.security"


class SecuredBroker:
    """A broker with what its clients must know; all certificates are PEM files.

    `tls_address` takes a client with `cert_file` and `key_file`, `sasl_address` one with `user` and `password`, by any
    of MECHANISMS. Both show a certificate of `ca_file` for 127.0.0.1. Within, `brokers.address` is open to all.
    """

    user, password = "closedloop", "a password of a test"

    def __init__(self, folder: Path) -> None:
        self.ca_file, self.cert_file, self.key_file = (folder / name for name in ("ca.pem", "client.pem", "client.key"))
        _make_certificates(folder)
        port = free_ports(4)
        self.brokers = Brokers(folder, options=self._options(port, folder), port=port)
        self.tls_address, self.sasl_address = (f"kafka://127.0.0.1:{port + more}" for more in (2, 3))

    def start(self) -> None:
        """Start it and make the user known to both kinds of SCRAM."""
        self.brokers.start()
        java = ["java", *quick_java(), "-cp", f"{libraries()}/*"]
        server = ["--bootstrap-server", self.brokers.address.removeprefix("kafka://")]
        user = ["--entity-type", "users", "--entity-name", self.user]
        for mechanism in MECHANISMS[1:]:
            secret = f"{mechanism}=[iterations=4096,password={self.password}]"
            _run([*java, "kafka.admin.ConfigCommand", *server, *user, "--alter", "--add-config", secret])

    def _options(self, port: int, folder: Path) -> Sequence[str]:
        places = [f"{name}://127.0.0.1:{port + more}" for more, name in ((0, "PLAINTEXT"), (2, "SSL"), (3, "SASL_SSL"))]
        plain = f'{MODULES}.plain.PlainLoginModule required user_{self.user}="{self.password}";'
        scram = f"{MODULES}.scram.ScramLoginModule required;"
        return [
            f"listeners={','.join(places)},CONTROLLER://127.0.0.1:{port + 1}",
            f"advertised.listeners={','.join(places)}",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={folder / 'server.pem'}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self.ca_file}",
            "listener.name.ssl.ssl.client.auth=required",
            f"sasl.enabled.mechanisms={','.join(MECHANISMS)}",
            f"listener.name.sasl_ssl.plain.sasl.jaas.config={plain}",
            *(f"listener.name.sasl_ssl.{name.lower()}.sasl.jaas.config={scram}" for name in MECHANISMS[1:]),
        ]


def _make_certificates(folder: Path) -> None:
    """An authority, and certificates of it for the broker and for a client."""
    authority = [
        "-CA",
        str(folder / "ca.pem"),
        "-CAkey",
        str(folder / "ca.key"),
        "-addext",
        "basicConstraints=CA:FALSE",
    ]
    _make_certificate(folder, "ca", ["-addext", "keyUsage=critical,keyCertSign,cRLSign"])
    _make_certificate(folder, "server", [*authority, "-addext", "subjectAltName=IP:127.0.0.1"])
    _make_certificate(folder, "client", authority)
    with (folder / "server.pem").open("a") as together:  # Kafka reads a certificate and its key from one file
        together.write((folder / "server.key").read_text())


def _make_certificate(folder: Path, name: str, more: Sequence[str]) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(folder / f"{name}.key")]
    new = ["-x509", "-days", "2", "-subj", f"/CN=closedloop-{name}", "-out", str(folder / f"{name}.pem")]
    _run(["openssl", "req", *new, *key, *more])


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
