//! The client's address and the requested host, as far as they can be trusted.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use poem::{FromRequest, Request, RequestBody, Result};

use super::{
    forwarded::{self, ForwardedElement},
    headers,
    problem::Problem,
};

/// The network settings: which proxies and hosts are trusted.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Proxies whose `X-Forwarded-…` and `Forwarded` headers are trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// The domain whose subdomains lead to organizations. `None`: the host is ignored.
    pub base_domain: Option<String>,
    /// Whether pages served by this machine, on any port, may call the API (`appointd dev`).
    pub local_pages: bool,
}

/// The requested host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// One of the server's own hosts: the base domain, `api.` in front of it, an IP address, localhost.
    Ours,
    /// A host that may lead to an organization: its subdomain (without a dot) or its custom domain.
    Tenant(String),
}

/// The client that sent a request.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: IpAddr,
    pub user_agent: Option<String>,
    pub host: Host,
    /// The request comes from a trusted proxy or from this machine, and was not forwarded.
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

    /// Whether this address is a trusted proxy.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// From the nearest hop backwards: the first address that is not a trusted proxy, and the host that the farthest
    /// trusted proxy received. Clients can forge everything before that.
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

    /// The host of an origin that may belong to an organization: with https, or on this machine.
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

    /// Whether the origin is on this machine and local pages are allowed.
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
        // A malformed host leads to no organization.
        let name = canonical(host).unwrap_or_else(|| "?".to_owned());
        if is_address(&name) || name == "localhost" {
            return Host::Ours;
        }
        match below(&name, base) {
            Some("" | "api") => Host::Ours,
            // Deeper names lead to no organization; a subdomain contains no dot.
            Some(label) if label.contains('.') => Host::Tenant("?".to_owned()),
            Some(label) => Host::Tenant(label.to_owned()),
            None => Host::Tenant(name),
        }
    }
}

/// The part in front of the base domain; empty for the base domain itself, `None` for names outside it.
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

/// The host without port and trailing dot, in lower case and ASCII (UTS 46, which includes IDNA 2008 names).
pub fn canonical(host: &str) -> Option<String> {
    let name = match host.strip_prefix('[') {
        Some(rest) => return rest.split_once(']').map(|(address, _)| format!("[{address}]")),
        None => host.split(':').next().unwrap_or_default(),
    };
    // UTS 46 maps other dot characters, so a trailing dot is removed after the mapping.
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
