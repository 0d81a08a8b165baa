//! Where a request comes from and which host it asks, as far as that can be believed.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use poem::{FromRequest, Request, RequestBody, Result};

use super::{
    forwarded::{self, ForwardedElement},
    headers,
    problem::Problem,
};

/// What is believed.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Proxies whose word about address and host of a client is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Below this, a label is the subdomain of an organization. None: hosts mean nothing.
    pub base_domain: Option<String>,
    /// Pages served by this machine, at any port, may call: `appointd dev`.
    pub local_pages: bool,
}

/// Which host was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// One of our own: the base domain, `api.` in front of it, an address, localhost.
    Ours,
    /// One that may be an organization's: a subdomain (without a dot) or a domain of theirs.
    Tenant(String),
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: IpAddr,
    pub user_agent: Option<String>,
    pub host: Host,
    /// A proxy we trust, or somebody on this very machine, asks for itself.
    pub from_inside: bool,
}

impl Network {
    pub fn client(&self, request: &Request) -> Result<Client, Problem> {
        let headers = request.headers();
        let peer = request.remote_addr().as_socket_addr().map(SocketAddr::ip);
        let trusted = peer.is_some_and(|peer| self.trusts(peer));
        let said = if trusted { forwarded::hops(headers)? } else { Vec::new() };
        let (address, said_host) = self.walk(said, peer.unwrap_or(IpAddr::from([0, 0, 0, 0])));
        let forwarded_host = match trusted {
            true => headers::one(headers, "X-Forwarded-Host")?.map(ToOwned::to_owned).or(said_host),
            false => None,
        };
        let host = match forwarded_host {
            Some(host) => self.classify(&host),
            None => headers::one(headers, "Host")?.map_or(Host::Ours, |host| self.classify(host)),
        };
        let forwarded = headers::has(headers, "X-Forwarded-For") || headers::has(headers, "Forwarded");
        let user_agent = headers::one(headers, "User-Agent")?;
        Ok(Client {
            address,
            user_agent: user_agent.map(|agent| agent.chars().take(300).collect()),
            host,
            from_inside: !forwarded
                && (trusted || peer.is_some_and(|peer| peer.to_canonical().is_loopback())),
        })
    }

    /// Whether this is one of our proxies.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// From the nearest hop backwards: the first address that is no proxy of ours, and the host that the proxy farthest
    /// from us was asked for. What stands before that anybody may have written.
    fn walk(&self, said: Vec<ForwardedElement>, peer: IpAddr) -> (IpAddr, Option<String>) {
        let (mut nearest, mut host) = (peer.to_canonical(), None);
        for hop in said.into_iter().rev() {
            if !self.trusts(nearest) {
                break;
            }
            host = hop.host.or(host);
            match hop.address {
                Some(address) => nearest = address.to_canonical(),
                None => break,
            }
        }
        (nearest, host)
    }

    /// The host of a page that might be an organization's: over TLS, or on this machine.
    pub fn origin(&self, origin: &str) -> Option<String> {
        let (scheme, host) = origin.split_once("://")?;
        let name = canonical(host)?;
        if scheme != "https" && name != "localhost" && !name.ends_with(".localhost") {
            return None;
        }
        match self.base_domain.as_ref().and_then(|base| below(&name, base)) {
            Some("" | "api") => None,
            Some(label) => (!label.contains('.')).then(|| label.to_owned()),
            None => name.contains('.').then_some(name),
        }
    }

    /// Whether a page of this origin may call because we are developed on its machine.
    pub fn is_local_page(&self, origin: &str) -> bool {
        let host = origin.split_once("://").and_then(|(_, host)| canonical(host));
        self.local_pages
            && host.is_some_and(|name| {
                let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
                name == "localhost"
                    || name.ends_with(".localhost")
                    || address.is_ok_and(|address| address.is_loopback())
            })
    }

    /// The host of a `Host` header.
    pub fn classify(&self, host: &str) -> Host {
        let Some(base) = &self.base_domain else {
            return Host::Ours;
        };
        // Of no form a host has: nobody's.
        let name = canonical(host).unwrap_or_else(|| "?".to_owned());
        if is_address(&name) || name == "localhost" {
            return Host::Ours;
        }
        match below(&name, base) {
            Some("" | "api") => Host::Ours,
            // Deeper ones are nobody's either; a label never has a dot.
            Some(label) if label.contains('.') => Host::Tenant("?".to_owned()),
            Some(label) => Host::Tenant(label.to_owned()),
            None => Host::Tenant(name),
        }
    }
}

/// What stands in front of the base domain, where a name is below it or it itself.
fn below<'a>(name: &'a str, base: &str) -> Option<&'a str> {
    match name.strip_suffix(base)? {
        "" => Some(""),
        label => label.strip_suffix('.'),
    }
}

/// Whether a host is an IP address, in brackets or without.
pub fn is_address(name: &str) -> bool {
    name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

/// Without port and without the dot at the end, in lower case and ASCII (UTS 46, which IDNA 2008 names stand under).
pub fn canonical(host: &str) -> Option<String> {
    let name = match host.strip_prefix('[') {
        Some(rest) => return rest.split_once(']').map(|(address, _)| format!("[{address}]")),
        None => host.split(':').next().unwrap_or_default(),
    };
    // There are other dots than ours: which of them end a name is known afterwards.
    let ascii = idna::domain_to_ascii_cow(name.as_bytes(), idna::AsciiDenyList::URL).ok()?;
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    (name.split('.').all(|label| !label.is_empty()) && name.len() <= 253).then(|| name.to_owned())
}

impl<'a> FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        // Put there by the edge.
        Ok(request.extensions().get::<Self>().cloned().ok_or_else(Problem::internal)?)
    }
}
