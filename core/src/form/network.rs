//! Networks in CIDR notation, as far as validators look at them.

use std::net::IpAddr;

/// A network: the bits of its addresses that are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    bits: u128,
    width: u32,
    length: u32,
}

impl Network {
    /// Reads `10.0.0.0/8` or `fd00::/8`, or a single address. Bits of hosts are dropped.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => {
                let is_short =
                    !length.is_empty() && length.len() <= 3 && length.bytes().all(|byte| byte.is_ascii_digit());
                (address, Some(length.parse::<u32>().ok().filter(|_| is_short)?))
            }
            None => (text, None),
        };
        let (bits, width) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let length = length.unwrap_or(width);
        (length <= width).then(|| Self { bits: bits & !mask(width - length), width, length })
    }

    /// Returns whether every address of another network is one of this.
    pub(super) fn contains(self, inner: Self) -> bool {
        self.width == inner.width
            && inner.length >= self.length
            && inner.bits & !mask(self.width - self.length) == self.bits
    }

    /// Returns whether some address is one of both.
    pub(super) fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

/// Returns so many low bits.
fn mask(bits: u32) -> u128 {
    1_u128.checked_shl(bits).map_or(u128::MAX, |bit| bit - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_lie_in_one_another_or_apart() {
        let net = |text: &str| Network::parse(text).expect(text);
        let check = |a: &str, b: &str, contains: bool, overlaps: bool| {
            assert_eq!((net(a).contains(net(b)), net(a).overlaps(net(b))), (contains, overlaps), "{a} {b}");
            assert_eq!(net(b).overlaps(net(a)), overlaps, "{b} {a}");
        };
        check("10.0.0.0/8", "10.1.0.0/16", true, true);
        check("10.1.0.0/16", "10.0.0.0/8", false, true);
        check("10.1.0.0/16", "10.2.0.0/16", false, false);
        check("0.0.0.0/0", "255.255.255.255", true, true);
        check("::/0", "fd00::1", true, true);
        check("::/0", "10.0.0.1", false, false);
        check("10.0.0.7/8", "10.0.0.0/8", true, true);
        for text in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "fd00::/129", "a", "010.0.0.0/8"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
