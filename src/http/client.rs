//! Where a request comes from and which host it asks, as far as that can be believed.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use poem::{FromRequest, Request, RequestBody, Result, http::header};

use super::problem::Problem;

/// What is believed.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Proxies whose word about address and host of a client is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Below this, a label is the subdomain of an organization. None: hosts mean nothing.
    pub base_domain: Option<String>,
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
    pub fn client(&self, request: &Request) -> Client {
        let peer = request.remote_addr().as_socket_addr().map(SocketAddr::ip);
        let trusted = peer.is_some_and(|peer| self.trusts(peer));
        let address = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| self.address(request, peer));
        let user_agent = request
            .headers()
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .map(|agent| agent.chars().take(300).collect());
        Client {
            address,
            user_agent,
            host: self.host(request, trusted),
            from_inside: !request.headers().contains_key("x-forwarded-for")
                && (trusted || peer.is_some_and(|peer| peer.to_canonical().is_loopback())),
        }
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// From the nearest backwards: the first that is no proxy of ours. What stands before it anybody may have written.
    fn address(&self, request: &Request, peer: IpAddr) -> IpAddr {
        let mut nearest = peer.to_canonical();
        let forwarded: Vec<&str> = request
            .headers()
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        for address in forwarded.iter().rev() {
            if !self.trusts(nearest) {
                break;
            }
            match address.trim().parse::<IpAddr>() {
                Ok(address) => nearest = address.to_canonical(),
                Err(_) => break,
            }
        }
        nearest
    }

    fn host(&self, request: &Request, trusted: bool) -> Host {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let forwarded = if trusted { header("x-forwarded-host") } else { None };
        match forwarded.or_else(|| header("host")) {
            Some(host) => self.classify(host),
            None => Host::Ours,
        }
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
    let name = name.strip_suffix('.').unwrap_or(name);
    let ascii = idna::domain_to_ascii_cow(name.as_bytes(), idna::AsciiDenyList::URL).ok()?;
    (!ascii.is_empty() && ascii.len() <= 253).then(|| ascii.into_owned())
}

impl<'a> FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        // Put there by the edge.
        Ok(request.extensions().get::<Self>().cloned().ok_or_else(Problem::internal)?)
    }
}
