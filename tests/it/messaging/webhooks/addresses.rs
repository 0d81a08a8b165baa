//! Which addresses webhooks may be sent to.

use appointd::messaging::webhooks::addresses::{Reach, is_public};
use url::Url;

#[test]
fn special_addresses_are_not_public_and_neighbours_are() {
    for special in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:0808:0808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(special.parse().expect("an address")), "{special}");
    }
    for public in [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2600::1",
        "2a00:1450:4001:80b::200e",
    ] {
        assert!(is_public(public.parse().expect("an address")), "{public}");
    }
}

#[test]
fn url_may_be_set_if_it_is_https_and_can_be_public() {
    let (closed, open) = (Reach::default(), Reach::new(&["10.1.2.0/24".parse().expect("a network")]));
    let may = |reach: &Reach, url: &str| Url::parse(url).is_ok_and(|url| reach.may_be_set(&url));
    for url in ["https://hooks.example.com/x?y=1", "https://8.8.8.8", "https://[2600::1]:8443/"] {
        assert!(may(&closed, url) && may(&open, url), "{url}");
    }
    // Each form of an address that connects to this machine.
    for url in [
        "http://hooks.example.com",
        "ftp://hooks.example.com",
        "https://127.0.0.1",
        "https://0x7f000001",
        "https://2130706433",
        "https://0177.0.0.1",
        "https://127.1",
        "https://0.0.0.0",
        "https://[::ffff:127.0.0.1]",
        "https://127。0。0。1",
        "https://①②⑦.0.0.1",
        "https://[::1]",
        "https://localhost",
        "https://a.localhost",
        "https://LOCALHOST",
        "https://metadata.google.internal",
        "https://printer.local",
        "https://hooks.example.com.",
        "https://intranet",
    ] {
        assert!(!may(&closed, url), "{url}");
    }
    assert!(may(&open, "http://10.1.2.3:8080") && may(&open, "https://10.1.2.3"));
    assert!(may(&open, "http://receiver.internal") && may(&open, "http://localhost"));
    assert!(
        !may(&open, "http://10.1.3.1") && !may(&open, "https://127.0.0.1") && !may(&open, "http://8.8.8.8")
    );
}

#[test]
fn address_that_was_looked_up_is_dialled_only_if_it_is_allowed() {
    let open = Reach::new(&["10.1.2.0/24".parse().expect("a network")]);
    let may = |address: &str, secure| open.may_dial(address.parse().expect("an address"), secure);
    assert!(may("10.1.2.3", true) && may("10.1.2.3", false) && may("::ffff:10.1.2.3", false));
    assert!(
        may("8.8.8.8", true) && !may("8.8.8.8", false) && !may("127.0.0.1", true) && !may("10.1.3.1", true)
    );
}
