//! Which addresses webhooks may be sent to: public ones, and those of networks that the operator allows. A URL is
//! checked when it is set, and each address again before it is dialled, because names can get other addresses.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, LazyLock},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Not public, of the registry of special IPv4 addresses of the IANA.
static SPECIAL_V4: LazyLock<Vec<Ipv4Net>> = LazyLock::new(|| {
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
    .map(|net| net.parse().expect("a network"))
    .to_vec()
});

/// All of IPv6 that is allocated for the public.
static PUBLIC_V6: LazyLock<Ipv6Net> = LazyLock::new(|| "2000::/3".parse().expect("a network"));

/// Not public, of the registry of special IPv6 addresses of the IANA.
static SPECIAL_V6: LazyLock<Vec<Ipv6Net>> = LazyLock::new(|| {
    ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]
        .map(|net| net.parse().expect("a network"))
        .to_vec()
});

/// IPv4 addresses as IPv6 addresses of a translator (RFC 6052).
static TRANSLATED: LazyLock<Ipv6Net> = LazyLock::new(|| "64:ff9b::/96".parse().expect("a network"));

/// Endings of names that are never public.
const LOCAL_NAMES: [&str; 3] = ["localhost", "internal", "local"];

/// Where webhooks may be sent to.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Besides public addresses. Only here http is allowed as well.
    allowed: Arc<[IpNet]>,
}

impl Reach {
    /// `allowed` are the networks that the operator allows besides public addresses.
    pub fn new(allowed: &[IpNet]) -> Self {
        Self { allowed: allowed.into() }
    }

    /// Whether a URL may be set: it is https to what may be public, or may lead to an allowed network.
    pub fn may_be_set(&self, url: &Url) -> bool {
        let secure = url.scheme() == "https";
        if !secure && (url.scheme() != "http" || self.allowed.is_empty()) {
            return false;
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.may_dial(address.into(), secure),
            Some(Host::Ipv6(address)) => self.may_dial(address.into(), secure),
            // The addresses of a name decide when it is dialled.
            Some(Host::Domain(name)) => {
                !name.ends_with('.') && (!self.allowed.is_empty() || is_public_name(name))
            }
            None => false,
        }
    }

    /// Whether an address may be dialled.
    pub fn may_dial(&self, address: IpAddr, secure: bool) -> bool {
        let address = address.to_canonical();
        (secure && is_public(address)) || self.allowed.iter().any(|network| network.contains(&address))
    }
}

/// Whether a name has a dot, and no ending of a private network.
fn is_public_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.') && !LOCAL_NAMES.contains(&last)
}

/// Whether an address is one of the public Internet.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|network| network.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if TRANSLATED.contains(&address) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    PUBLIC_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
}
