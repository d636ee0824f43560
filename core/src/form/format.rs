use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::network::Network;

/// What a text must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// A network in CIDR notation: `10.0.0.0/16`, `fd00::/8`.
    Cidr,
    /// A network of IPv4.
    Cidr4,
    /// An address, of either version.
    Ip,
    /// An address of IPv4.
    Ipv4,
    /// An address of IPv6.
    Ipv6,
    /// A name of the domain name system with at least one dot: `app.example.com`.
    Domain,
    /// A name of a host: labels of letters, digits and hyphens; a dot is not needed.
    Hostname,
    /// A version: `1.2.3`, `1.2.3-rc.1+build`.
    Semver,
    /// An address of electronic mail.
    Email,
    /// An absolute address with `http`, `https` or another scheme, and a host.
    Url,
    /// A name that resources of Kubernetes take: lower-case letters, digits, hyphens; at most 63.
    DnsLabel,
    /// A UUID with hyphens.
    Uuid,
    /// A port: 1 to 65535.
    Port,
    /// A text that is JSON.
    Json,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 14] = [
        Self::Cidr,
        Self::Cidr4,
        Self::Ip,
        Self::Ipv4,
        Self::Ipv6,
        Self::Domain,
        Self::Hostname,
        Self::Semver,
        Self::Email,
        Self::Url,
        Self::DnsLabel,
        Self::Uuid,
        Self::Port,
        Self::Json,
    ];

    /// Returns the name that documents use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cidr => "cidr",
            Self::Cidr4 => "cidr4",
            Self::Ip => "ip",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Domain => "domain",
            Self::Hostname => "hostname",
            Self::Semver => "semver",
            Self::Email => "email",
            Self::Url => "url",
            Self::DnsLabel => "dns-label",
            Self::Uuid => "uuid",
            Self::Port => "port",
            Self::Json => "json",
        }
    }

    /// Returns the format of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// Returns whether a text looks so. Linear in the text.
    pub fn matches(self, text: &str) -> bool {
        match self {
            Self::Cidr => text.contains('/') && Network::parse(text).is_some(),
            Self::Cidr4 => text.contains('/') && !text.contains(':') && Network::parse(text).is_some(),
            Self::Ip => text.parse::<IpAddr>().is_ok(),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Domain => is_domain(text),
            Self::Hostname => is_hostname(text),
            Self::Semver => is_semver(text),
            Self::Email => is_email(text),
            Self::Url => is_url(text),
            Self::DnsLabel => is_label(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'_'),
            Self::Uuid => text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(),
            Self::Port => {
                text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
            }
            Self::Json => serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
        }
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_hostname(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A last label of digits alone would be an address.
fn is_domain(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or_default();
    is_hostname(name) && name.contains('.') && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_semver(text: &str) -> bool {
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let numeric = |part: &str| digits(part) && (part == "0" || !part.starts_with('0'));
    let word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    core.split('.').count() == 3
        && core.split('.').all(numeric)
        && pre.is_none_or(|pre| pre.split('.').all(|part| word(part) && (!digits(part) || numeric(part))))
        && build.is_none_or(|build| build.split('.').all(word))
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&byte);
    (1..=64).contains(&local.len())
        && local.bytes().all(allowed)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && is_domain(domain)
        && !domain.starts_with('*')
}

fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((host, rest)) => {
            let port = rest.strip_prefix(':');
            if host.parse::<Ipv6Addr>().is_err() || (port.is_none() && !rest.is_empty()) {
                return false;
            }
            ("v6", port)
        }
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && is_hostname(host)
        && port.is_none_or(|port| Format::Port.matches(port))
        && !text.contains(|char: char| char.is_whitespace() || char.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_their_formats() {
        let check = |format: Format, good: &[&str], bad: &[&str]| {
            good.iter().for_each(|text| assert!(format.matches(text), "{} {text}", format.as_str()));
            bad.iter().for_each(|text| assert!(!format.matches(text), "{} {text}", format.as_str()));
            assert_eq!(Format::by_name(format.as_str()), Some(format));
        };
        check(Format::Cidr, &["10.0.0.0/16", "fd00::/8"], &["10.0.0.0", "10.0.0.0/33", "", "/8"]);
        check(Format::Cidr4, &["10.0.0.0/16"], &["fd00::/8"]);
        check(Format::Ip, &["10.0.0.1", "::1"], &["10.0.0.256", "10.0.0.0/8", ""]);
        check(Format::Ipv4, &["10.0.0.1"], &["::1"]);
        check(Format::Ipv6, &["::1"], &["10.0.0.1"]);
        let long = format!("{}.com", "a".repeat(64));
        check(Format::Domain, &["coding.dev.coding.io", "*.a.b"], &["a", "a..b", "-a.b", "a.1", "a b.c", "", &long]);
        check(Format::Hostname, &["a", "a.b"], &["a_b", "a.", ""]);
        check(
            Format::Semver,
            &["1.2.3", "0.0.0-rc.1+b.01"],
            &["1.2", "01.2.3", "1.2.3-", "1.2.3-01", "v1.2.3", "1.2.3+"],
        );
        check(Format::Email, &["a.b+c@d.org"], &["a@b", "@d.org", ".a@d.org", "a..b@d.org", "a d@e.org", "a"]);
        check(
            Format::Url,
            &["https://a.b/c?d#e", "http://localhost:8080", "ftp://u@a", "http://[::1]:80/"],
            &["a.b", "://a", "http://", "http://a b", "http://a:0", "1a://b", "http://[::1]x"],
        );
        check(Format::DnsLabel, &["a-1"], &["A", "-a", "a.b", ""]);
        check(Format::Uuid, &["67e55044-10b1-426f-9247-bb680e5fe0c8"], &["67e5504410b1426f9247bb680e5fe0c8", "x"]);
        check(Format::Port, &["1", "65535"], &["0", "65536", "+1", "", "a"]);
        check(Format::Json, &["{}", "[1]"], &["{", "a"]);
    }
}
