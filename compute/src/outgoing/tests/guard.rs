//! Which addresses are public, private, and nobody's: every range at its edges.

use std::net::IpAddr;

use crate::outgoing::guard::{Kind, Reach, kind_of};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    Public,
    Private,
    Never,
}
use Is::{Never, Private, Public};

const ADDRESSES: &[(&str, Is)] = &[
    ("0.0.0.0", Never),
    ("0.255.255.255", Never),
    ("1.0.0.0", Public),
    ("1.1.1.1", Public),
    ("8.8.8.8", Public),
    ("9.255.255.255", Public),
    ("10.0.0.0", Private),
    ("10.255.255.255", Private),
    ("11.0.0.0", Public),
    ("100.63.255.255", Public),
    ("100.64.0.0", Private),
    ("100.100.100.199", Private),
    ("100.100.100.200", Never),
    ("100.127.255.255", Private),
    ("100.128.0.0", Public),
    ("126.255.255.255", Public),
    ("127.0.0.0", Private),
    ("127.0.0.1", Private),
    ("127.255.255.255", Private),
    ("128.0.0.0", Public),
    ("168.63.129.15", Public),
    ("168.63.129.16", Never),
    ("168.63.129.17", Public),
    ("::ffff:168.63.129.16", Never),
    ("169.253.255.255", Public),
    ("169.254.0.0", Never),
    ("169.254.169.254", Never),
    ("169.254.255.255", Never),
    ("169.255.0.0", Public),
    ("172.15.255.255", Public),
    ("172.16.0.0", Private),
    ("172.31.255.255", Private),
    ("172.32.0.0", Public),
    ("191.255.255.255", Public),
    ("192.0.0.0", Never),
    ("192.0.0.192", Never),
    ("192.0.0.255", Never),
    ("192.0.1.0", Public),
    ("192.0.2.0", Never),
    ("192.0.2.255", Never),
    ("192.0.3.0", Public),
    ("192.31.196.1", Never),
    ("192.52.193.1", Never),
    ("192.88.99.1", Never),
    ("192.88.100.0", Public),
    ("192.167.255.255", Public),
    ("192.168.0.0", Private),
    ("192.168.255.255", Private),
    ("192.169.0.0", Public),
    ("192.175.48.1", Never),
    ("198.17.255.255", Public),
    ("198.18.0.0", Never),
    ("198.19.255.255", Never),
    ("198.20.0.0", Public),
    ("198.51.100.1", Never),
    ("203.0.113.255", Never),
    ("203.0.114.0", Public),
    ("223.255.255.255", Public),
    ("224.0.0.0", Never),
    ("239.255.255.255", Never),
    ("240.0.0.0", Never),
    ("255.255.255.254", Never),
    ("255.255.255.255", Never),
    ("::", Never),
    ("::1", Private),
    ("::2", Never),
    ("::7f00:1", Never),
    ("::8.8.8.8", Never),
    ("::ffff:8.8.8.8", Public),
    ("::ffff:127.0.0.1", Private),
    ("::ffff:10.0.0.1", Private),
    ("::ffff:169.254.169.254", Never),
    ("::ffff:0:127.0.0.1", Never),
    ("64:ff9b::8.8.8.8", Public),
    ("64:ff9b::7f00:1", Private),
    ("64:ff9b::a9fe:a9fe", Never),
    ("64:ff9b::1:808:808", Never),
    ("64:ff9b:1::808:808", Never),
    ("100::", Never),
    ("100:0:0:1::1", Never),
    ("1fff:ffff::1", Never),
    ("2000::1", Public),
    ("2001::1", Never),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Never),
    ("2001:2::1", Never),
    ("2001:20::1", Never),
    ("2001:1ff:ffff::1", Never),
    ("2001:200::1", Public),
    ("2001:4860:4860::8888", Public),
    ("2001:db7:ffff::1", Public),
    ("2001:db8::1", Never),
    ("2001:db9::1", Public),
    ("2002:7f00:1::1", Never),
    ("2002:808:808::1", Never),
    ("2003::1", Public),
    ("2606:4700:4700::1111", Public),
    ("2620:4f:8000::1", Never),
    ("2620:4f:8001::1", Public),
    ("3ffe:ffff::1", Public),
    ("3fff::1", Never),
    ("3fff:fff:ffff::1", Never),
    ("3fff:1000::1", Public),
    ("4000::1", Never),
    ("5f00::1", Never),
    ("fbff::1", Never),
    ("fc00::1", Private),
    ("fd00:42::41", Private),
    ("fd00:42::42", Never),
    ("fd00:42::43", Private),
    ("fd00:c1::a9fe:a9fd", Private),
    ("fd00:c1::a9fe:a9fe", Never),
    ("fd00:c1::a9fe:a9ff", Private),
    ("fd00:ec1:ffff:ffff:ffff:ffff:ffff:ffff", Private),
    ("fd00:ec2::", Never),
    ("fd00:ec2::254", Never),
    ("fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff", Never),
    ("fd00:ec3::", Private),
    ("fd20:ce::253", Private),
    ("fd20:ce::254", Never),
    ("fd20:ce::255", Private),
    ("fdff:ffff::1", Private),
    ("fe00::1", Never),
    ("fe80::1", Never),
    ("febf::1", Never),
    ("fec0::1", Never),
    ("ff02::1", Never),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Never),
];

#[test]
fn addresses_are_of_their_kind() {
    for (text, expected) in ADDRESSES {
        let address: IpAddr = text.parse().unwrap();
        let found = match kind_of(address) {
            Kind::Public => Public,
            Kind::Private(_) => Private,
            Kind::Never(_) => Never,
        };
        assert_eq!(found, *expected, "{text}");
    }
}

#[test]
fn only_what_may_be_reached_is() {
    for (text, is) in ADDRESSES {
        let address: IpAddr = text.parse().unwrap();
        let of = |reach: Reach| reach.check(address).is_ok();
        assert_eq!(of(Reach::Public), *is == Public, "{text}");
        assert_eq!(of(Reach::Cluster), *is != Never, "{text}");
    }
}

#[test]
fn a_refusal_says_what_the_address_is() {
    let refused = Reach::Public.check("::ffff:127.0.0.1".parse().unwrap());
    let said = refused.unwrap_err().to_string();
    assert_eq!(said, "address_refused: ::ffff:127.0.0.1 is loopback");
}
