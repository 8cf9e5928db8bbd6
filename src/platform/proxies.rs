//! Whose address a request comes from. `X-Forwarded-For` is written by anybody, so it is believed only as far as the
//! configured proxies have written it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses in CIDR notation, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    start: IpAddr,
    prefix: u32,
}

/// The text is not an address or a range such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address or a range such as 10.0.0.0/8")]
pub struct NotARange;

impl std::fmt::Display for AddressRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.start, self.prefix)
    }
}

impl FromStr for AddressRange {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => {
                (address, Some(prefix.parse::<u32>().map_err(|_| NotARange)?))
            }
            None => (text, None),
        };
        let start: IpAddr = address.parse().map_err(|_| NotARange)?;
        let bits = if start.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        if prefix > bits {
            return Err(NotARange);
        }
        // An IPv4 range in IPv6 notation: callers are compared by their IPv4 address.
        match (start.to_canonical(), prefix.checked_sub(96)) {
            (start @ IpAddr::V4(_), Some(prefix)) if bits == 128 => Ok(Self { start, prefix }),
            _ => Ok(Self { start, prefix }),
        }
    }
}

/// Ranges that no address of the public internet lies in.
const OWN: [(IpAddr, u32); 9] = [
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)), 10),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
];

/// The widest public ranges that one operator of proxies announces.
const WIDEST: (u32, u32) = (12, 24);

impl AddressRange {
    /// Whether the range takes in more of the internet than the proxies of one operator.
    #[must_use]
    pub fn is_too_wide(&self) -> bool {
        let own = OWN.iter().any(|&(start, prefix)| {
            self.prefix >= prefix && Self { start, prefix }.contains(self.start)
        });
        let widest = if self.start.is_ipv4() {
            WIDEST.0
        } else {
            WIDEST.1
        };
        !own && self.prefix < widest
    }

    /// Whether the address lies in the range; an IPv4 address is the same when written as IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.start, address.to_canonical()) {
            (IpAddr::V4(start), IpAddr::V4(address)) => {
                let differing = start.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(start), IpAddr::V6(address)) => {
                let differing = start.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

/// The address to count and log for a request: the peer, or, when the peer is one of `trusted`, the last address in
/// `forwarded_for` that is not. An entry that cannot be read ends the search at the proxy that passed it on.
pub fn caller(trusted: &[AddressRange], peer: IpAddr, forwarded_for: &str) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    let mut caller = peer.to_canonical();
    for entry in forwarded_for.rsplit(',') {
        if !is_proxy(caller) {
            break;
        }
        match entry.trim().parse::<IpAddr>() {
            Ok(address) => caller = address.to_canonical(),
            Err(_) => break,
        }
    }
    caller
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_contain_what_they_say() {
        let range: AddressRange = "10.1.0.0/16".parse().unwrap();
        assert!(range.contains(ip("10.1.255.255")) && range.contains(ip("::ffff:10.1.2.3")));
        assert!(!range.contains(ip("10.2.0.0")) && !range.contains(ip("::1")));
        assert!(
            "0.0.0.0/0"
                .parse::<AddressRange>()
                .unwrap()
                .contains(ip("203.0.113.9"))
        );
        assert!("::1".parse::<AddressRange>().unwrap().contains(ip("::1")));
        let mapped: AddressRange = "::ffff:10.1.0.0/112".parse().unwrap();
        assert_eq!(mapped, range);
        for bad in ["10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/x", ""] {
            assert_eq!(bad.parse::<AddressRange>(), Err(NotARange), "{bad}");
        }
    }

    #[test]
    fn a_range_is_too_wide_when_it_is_not_of_one_network() {
        let wide = [
            "0.0.0.0/0",
            "::/0",
            "128.0.0.0/1",
            "8.0.0.0/7",
            "11.0.0.0/8",
            "0.0.0.0/4",
            "2000::/3",
            "2a00::/16",
            "::ffff:0:0/96",
        ];
        for range in wide {
            assert!(
                range.parse::<AddressRange>().unwrap().is_too_wide(),
                "{range}"
            );
        }
        let narrow = [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "104.16.0.0/13",
            "127.0.0.1",
            "fc00::/7",
            "fd00::/8",
            "2606:4700::/32",
            "::1",
        ];
        for range in narrow {
            assert!(
                !range.parse::<AddressRange>().unwrap().is_too_wide(),
                "{range}"
            );
        }
    }

    #[test]
    fn only_configured_proxies_are_believed() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        assert_eq!(
            caller(&trusted, ip("203.0.113.9"), "198.51.100.1"),
            ip("203.0.113.9")
        );
        assert_eq!(
            caller(&trusted, ip("10.0.0.1"), "198.51.100.1"),
            ip("198.51.100.1")
        );
        assert_eq!(
            caller(&trusted, ip("10.0.0.1"), "6.6.6.6, 198.51.100.1, 10.0.0.2"),
            ip("198.51.100.1")
        );
        assert_eq!(
            caller(&trusted, ip("10.0.0.1"), "198.51.100.1, nonsense"),
            ip("10.0.0.1")
        );
        assert_eq!(caller(&trusted, ip("10.0.0.1"), ""), ip("10.0.0.1"));
    }
}
