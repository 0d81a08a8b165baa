//! Reads what proxies report about a request: `X-Forwarded-For` and `Forwarded` (RFC 7239).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use poem::http::HeaderMap;

use super::{headers, problem::Problem};

/// What one proxy reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ForwardedElement {
    /// The address of its client; `None` if it is absent or obfuscated.
    pub address: Option<IpAddr>,
    /// The host that its client requested.
    pub host: Option<String>,
}

/// What the proxies reported, the nearest to us last. `Forwarded` is read only without `X-Forwarded-For`: most proxies
/// write only `X-Forwarded-For` and pass on a `Forwarded` that the client wrote.
pub fn hops(headers: &HeaderMap) -> Result<Vec<ForwardedElement>, Problem> {
    let addresses = headers::list(headers, "X-Forwarded-For")?;
    if !addresses.is_empty() {
        let hop = |text| ForwardedElement { address: address(text), host: None };
        return Ok(addresses.into_iter().flat_map(|line| line.split(',')).map(hop).collect());
    }
    let mut hops = Vec::new();
    for line in headers::list(headers, "Forwarded")? {
        // The nearest proxy appends its element: an unterminated quoted string from the client must not swallow it.
        let elements = elements(line)
            .ok_or_else(|| headers::malformed("Forwarded", "elements of RFC 7239, such as for=192.0.2.60"))?;
        hops.extend(elements);
    }
    Ok(hops)
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:4711`.
pub fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let is_port =
        |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        let fits = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return address.parse::<Ipv6Addr>().ok().filter(|_| fits).map(IpAddr::from);
    }
    text.parse().ok().or_else(|| {
        let (address, port) = text.rsplit_once(':')?;
        address.parse::<Ipv4Addr>().ok().filter(|_| is_port(port)).map(IpAddr::from)
    })
}

/// The elements of a `Forwarded` header (RFC 7239 section 4); `None` if it is malformed.
fn elements(line: &str) -> Option<Vec<ForwardedElement>> {
    let mut hops = Vec::new();
    for element in split(line, ',')? {
        let mut hop = ForwardedElement::default();
        for pair in split(element, ';')?.into_iter().map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let value = unquoted(value.trim())?;
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop.address = address(&value),
                "host" => hop.host = Some(value),
                _ => {}
            }
        }
        hops.push(hop);
    }
    Some(hops)
}

/// Splits outside of quoted strings; `None` if a quote is not closed.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// A token, or a quoted string without its quotes (RFC 9110 section 5.6.4).
fn unquoted(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else {
        return (!text.contains('"')).then(|| text.to_owned());
    };
    let inner = quoted.strip_suffix('"')?;
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
    Some(value)
}
