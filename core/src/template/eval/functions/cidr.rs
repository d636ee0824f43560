use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use num_bigint::BigInt;

/// A network prefix: the address bits in the low end of a `u128`, host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    bits: u128,
    /// Address width: 32 or 128 bits.
    width: u32,
    /// Prefix length in bits.
    length: u32,
}

impl Prefix {
    /// Reads `10.0.0.0/8` or `fd00::/48`; host bits are dropped, leading zeros in IPv4 octets are decimal.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is not a network prefix in CIDR notation, such as 10.0.0.0/16");
        let (address, length) = text.split_once('/').ok_or_else(invalid)?;
        if length.is_empty() || length.len() > 3 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let length: u32 = length.parse().map_err(|_| invalid())?;
        let (bits, width) = if address.contains(':') {
            (u128::from(address.parse::<Ipv6Addr>().map_err(|_| invalid())?), 128)
        } else {
            (u128::from(parse_v4(address).ok_or_else(invalid)?), 32)
        };
        if length > width {
            return Err(invalid());
        }
        Ok(Self { bits: bits & !host_mask(width - length), width, length })
    }

    /// Reads a prefix or a single address, which is a prefix of its whole width.
    pub(super) fn parse_any(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return Self::parse(text);
        }
        let width = if text.contains(':') { 128 } else { 32 };
        Self::parse(&format!("{text}/{width}"))
            .map_err(|_| format!("`{text}` is neither an address nor a network prefix"))
    }

    /// Returns whether every address of another prefix is one of this.
    pub(super) fn contains(self, inner: Self) -> Result<bool, String> {
        if self.width != inner.width {
            return Err("one is of IPv4 and the other of IPv6".to_owned());
        }
        Ok(inner.length >= self.length && inner.bits & !host_mask(self.width - self.length) == self.bits)
    }

    /// Returns the address numbered `number` inside the prefix; negative numbers count from the end.
    pub(super) fn host(self, number: &BigInt) -> Result<IpAddr, String> {
        let size = BigInt::from(1) << (self.width - self.length);
        let offset = if number.sign() == num_bigint::Sign::Minus { &size + number } else { number.clone() };
        let offset = u128::try_from(&offset)
            .ok()
            .filter(|offset| BigInt::from(*offset) < size)
            .ok_or_else(|| format!("a prefix of {} bits has no host numbered {number}", self.length))?;
        Ok(self.address(self.bits | offset))
    }

    /// Returns the netmask in dotted notation; IPv4 only.
    pub(super) fn netmask(self) -> Result<String, String> {
        if self.width != 32 {
            return Err("only IPv4 prefixes have a netmask".to_owned());
        }
        let mask = !host_mask(32 - self.length) & u128::from(u32::MAX);
        Ok(self.address(mask).to_string())
    }

    /// Returns the subnet numbered `number` among those with `new_bits` more prefix bits.
    pub(super) fn subnet(self, new_bits: u32, number: &BigInt) -> Result<Self, String> {
        let length = self.length.saturating_add(new_bits);
        if length > self.width {
            return Err(format!(
                "not enough address space: a prefix of {} bits cannot grow by {new_bits} bits",
                self.length
            ));
        }
        let number =
            u128::try_from(number)
                .ok()
                .filter(|number| BigInt::from(*number) < BigInt::from(1) << new_bits)
                .ok_or_else(|| format!("{new_bits} more prefix bits leave no room for a subnet numbered {number}"))?;
        let shifted = number.checked_shl(self.width - length).unwrap_or(0);
        Ok(Self { bits: self.bits | shifted, width: self.width, length })
    }

    /// Returns consecutive subnets, each with that many more prefix bits, none overlapping.
    pub(super) fn subnets(self, new_bits: &[u32]) -> Result<Vec<Self>, (usize, String)> {
        let end = self.bits | host_mask(self.width - self.length);
        let mut next = Some(self.bits);
        let mut subnets = Vec::with_capacity(new_bits.len());
        for (idx, &bits) in new_bits.iter().enumerate() {
            if bits < 1 {
                return Err((idx, "must extend the prefix by at least one bit".to_owned()));
            }
            if bits > 32 {
                return Err((idx, "must not extend the prefix by more than 32 bits".to_owned()));
            }
            let length = self.length.saturating_add(bits);
            if length > self.width {
                return Err((idx, format!("would extend the prefix to {length} bits; an address has {}", self.width)));
            }
            let mask = host_mask(self.width - length);
            let start = next.and_then(|next| next.checked_add(mask)).map(|start| start & !mask);
            let start = start.filter(|start| *start <= end && start.checked_add(mask).is_some_and(|last| last <= end));
            let Some(start) = start else {
                return Err((idx, format!("not enough address space left for a subnet of {length} prefix bits")));
            };
            subnets.push(Self { bits: start, width: self.width, length });
            next = start.checked_add(mask).and_then(|last| last.checked_add(1));
        }
        Ok(subnets)
    }

    fn address(self, bits: u128) -> IpAddr {
        if self.width == 32 { IpAddr::V4(Ipv4Addr::from(bits as u32)) } else { IpAddr::V6(Ipv6Addr::from(bits)) }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(self.bits), self.length)
    }
}

fn host_mask(bits: u32) -> u128 {
    if bits >= 128 { u128::MAX } else { (1 << bits) - 1 }
}

fn parse_v4(text: &str) -> Option<u32> {
    let mut address = 0;
    let mut count = 0;
    for octet in text.split('.') {
        if octet.is_empty() || octet.len() > 8 || !octet.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let octet: u32 = octet.parse().ok().filter(|octet| *octet <= 255)?;
        address = (address << 8) | octet;
        count += 1;
        if count > 4 {
            return None;
        }
    }
    (count == 4).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        Prefix::parse(text).expect("a prefix")
    }

    #[test]
    fn hosts_and_masks() {
        let host = |text: &str, number: i64| prefix(text).host(&BigInt::from(number)).map(|ip| ip.to_string());
        assert_eq!(host("10.12.127.0/20", 16).as_deref(), Ok("10.12.112.16"));
        assert_eq!(host("10.0.0.0/8", -1).as_deref(), Ok("10.255.255.255"));
        assert_eq!(host("fd00:fd12:3456:7890:00a2::/72", 34).as_deref(), Ok("fd00:fd12:3456:7890::22"));
        assert!(host("10.0.0.0/30", 4).is_err() && host("10.0.0.0/30", -5).is_err());
        assert_eq!(host("::/0", -1).as_deref(), Ok("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        assert_eq!(prefix("172.16.0.0/12").netmask().as_deref(), Ok("255.240.0.0"));
        assert_eq!(prefix("010.001.0.0/16").to_string(), "10.1.0.0/16");
        assert!(prefix("fd00::/8").netmask().is_err());
    }

    #[test]
    fn subnets_of_a_prefix() {
        let subnet = |text: &str, bits, number: i64| {
            prefix(text).subnet(bits, &BigInt::from(number)).map(|subnet| subnet.to_string())
        };
        assert_eq!(subnet("172.16.0.0/12", 4, 2).as_deref(), Ok("172.18.0.0/16"));
        assert_eq!(subnet("fd00:fd12:3456:7890::/56", 16, 162).as_deref(), Ok("fd00:fd12:3456:7800:a200::/72"));
        assert!(subnet("10.1.2.0/24", 4, 16).is_err() && subnet("10.1.2.0/24", 9, 0).is_err());
        assert_eq!(subnet("::/0", 128, -1).ok(), None);
        let all: Vec<String> =
            prefix("10.1.0.0/16").subnets(&[4, 4, 8, 4]).expect("room").iter().map(ToString::to_string).collect();
        assert_eq!(all, ["10.1.0.0/20", "10.1.16.0/20", "10.1.32.0/24", "10.1.48.0/20"]);
        assert_eq!(prefix("10.0.0.0/30").subnets(&[1, 1, 1]).map_err(|(idx, _)| idx), Err(2));
        assert_eq!(prefix("255.255.255.255/32").subnets(&[1]).map_err(|(idx, _)| idx), Err(0));
        assert_eq!(prefix("0.0.0.0/0").subnets(&[1, 1, 1]).map_err(|(idx, _)| idx), Err(2));
    }

    #[test]
    fn refuses_what_is_no_prefix() {
        for text in ["", "10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.256/8", "fd00::/129", "10.0.0.0/+8", "a/1"] {
            assert!(Prefix::parse(text).is_err(), "{text}");
        }
    }
}
