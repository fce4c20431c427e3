"""An address belongs to the network that packets for it reach."""

import pytest

from pipelines.addresses.networks import Network, network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("93.184.215.14", "public"), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "public"),
        ("10.1.2.3", "private"), ("172.16.0.1", "private"), ("192.168.1.1", "private"), ("fd00::1", "private"),
        ("100.64.0.1", "private"), ("127.0.0.1", "loopback"), ("127.9.9.9", "loopback"), ("::1", "loopback"),
    ],
)  # fmt: skip
def test_network_of_a_plain_address(address: str, network: Network) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("address", "network"),
    [
        pytest.param("::ffff:127.0.0.1", "loopback", id="mapped"),
        pytest.param("::ffff:10.0.0.1", "private", id="mapped private"),
        pytest.param("::ffff:93.184.215.14", "public", id="mapped public"),
        pytest.param("::127.0.0.1", "loopback", id="compatible"),
        pytest.param("::ffff:0:127.0.0.1", "loopback", id="translated"),
        pytest.param("64:ff9b::7f00:1", "loopback", id="NAT64"),
        pytest.param("64:ff9b::a9fe:a9fe", None, id="NAT64 metadata"),
        pytest.param("64:ff9b:1::7f00:1", None, id="NAT64 of a local prefix"),
        pytest.param("2002:7f00:1::", "loopback", id="6to4"),
        pytest.param("2002:a9fe:a9fe::1", None, id="6to4 metadata"),
        pytest.param("2002:5db8:d70e::1", "public", id="6to4 public"),
        pytest.param("2001:0:5db8:d70e:0:0:80ff:fffe", "loopback", id="Teredo client"),
        pytest.param("2001:0:7f00:1:0:0:a247:28f1", "loopback", id="Teredo server"),
        pytest.param("2001:0:5db8:d70e:0:0:5601:5601", None, id="Teredo client metadata"),
        pytest.param("2606:4700::5efe:127.0.0.1", "loopback", id="ISATAP"),
    ],
)
def test_network_of_an_address_that_carries_another_is_the_most_closed(address: str, network: Network | None) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.1.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254",
        "fd20:ce::254", "fe80::1%eth0", "fec0::1", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "239.1.1.1", "ff02::1",
        "255.255.255.255", "240.0.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.7",
        "203.0.113.9", "2001:db8::1", "3fff::1", "100::1", "::ffff:169.254.169.254", "::ffff:0.0.0.0",
        "::ffff:255.255.255.255", "::169.254.169.254",
    ],
)  # fmt: skip
def test_network_of_what_nobody_may_name_is_none(address: str) -> None:
    assert network_of(address) is None
