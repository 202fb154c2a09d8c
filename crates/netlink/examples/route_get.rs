//! Asks the kernel which way a packet to an address would take: `route_get 127.0.0.1`.

use std::net::IpAddr;

use sockeye_netlink::{Client, Protocol, Request};

/// `RTM_GETROUTE` and attributes of `linux/rtnetlink.h`.
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: route_get ADDRESS")?;
    let (family, destination) = match address.parse()? {
        IpAddr::V4(address) => (libc::AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (libc::AF_INET6, address.octets().to_vec()),
    };

    // struct rtmsg: family, length of the destination in bits, …
    let mut rtmsg = [0; 12];
    rtmsg[..2].copy_from_slice(&[family as u8, destination.len() as u8 * 8]);
    let request = Request::new(RTM_GETROUTE).body(&rtmsg).attr(RTA_DST, &destination);

    let (mut interface, mut gateway, mut source) = (None, None, None);
    let mut malformed = Ok(());
    Client::open(Protocol::ROUTE)?.get(&request, |route| {
        let mut attrs = route.attributes_after(rtmsg.len());
        while attrs.next() {
            match attrs.kind() {
                RTA_OIF => interface = attrs.u32(),
                RTA_GATEWAY => gateway = ip_address(attrs.bytes()),
                RTA_PREFSRC => source = ip_address(attrs.bytes()),
                _ => {}
            }
        }
        malformed = attrs.end();
    })?;
    malformed?;

    print!("{address}");
    gateway.inspect(|gateway| print!(" via {gateway}"));
    interface.inspect(|index| print!(" by interface {index}"));
    source.inspect(|source| print!(" from {source}"));
    println!();
    Ok(())
}

fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
