//! TCP's other states, made on the cable to the far side.
//!
//! Each connection has a far address of its own, so that the way to that address alone can be cut
//! (in one direction: what the far side sends still arrives). A state is held by shutting a socket
//! down instead of closing it; beside it stands, where it exists, the orphan of a closed one.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};

use socket2::{Domain, Socket};

use super::{Network, begin_connecting, bind, connect};

/// Where the far side listens.
const FAR_PORT: u16 = 7000;
/// Where the near side listens for the far side's connections.
const NEAR_PORT: u16 = 7010;

pub(super) fn open(network: &Network<'_>, sockets: &mut Vec<Socket>) -> io::Result<()> {
    for family in [Family::V4, Family::V6] {
        let listener = network.far_tcp(family.domain())?;
        if family == Family::V6 {
            listener.set_only_v6(true)?;
        }
        bind(&listener, SocketAddr::new(family.any(), FAR_PORT))?;
        listener.listen(100)?;
        let side = Side { network, family, listener: &listener };
        side.syn_sent(sockets)?;
        side.syn_recv(sockets)?;
        side.fin_wait(sockets)?;
        side.closing(sockets)?;
        side.passive_close(sockets)?;
        side.lost_data(sockets)?;
        sockets.push(listener);
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn domain(self) -> Domain {
        match self {
            Self::V4 => Domain::IPV4,
            Self::V6 => Domain::IPV6,
        }
    }

    fn any(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Self::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// A host on the cable: 1 is the near side, 2 to 39 the far side, others nobody. The numbers are
    /// decimal in both families: `10.77.0.12`, `fd77::12`.
    fn host(self, number: u8) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::new(10, 77, 0, number).into(),
            Self::V6 => {
                let digits = u16::from(number / 10) * 16 + u16::from(number % 10);
                Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, digits).into()
            }
        }
    }
}

/// The connections of one family.
struct Side<'a> {
    network: &'a Network<'a>,
    family: Family,
    listener: &'a Socket,
}

impl Side<'_> {
    /// A connection from the near side to far host `number`: the near socket, the far socket.
    fn establish(&self, number: u8) -> io::Result<(Socket, Socket)> {
        let near = self.network.tcp(self.family.domain())?;
        connect(&near, SocketAddr::new(self.family.host(number), FAR_PORT))?;
        let (far, _) = self.listener.accept()?;
        Ok((near, far))
    }

    fn cut(&self, number: u8) -> io::Result<()> {
        self.network.cut(self.family.host(number))
    }

    fn syn_sent(&self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        self.cut(90)?;
        for port in [80, 7000, 7000] {
            let socket = self.network.tcp(self.family.domain())?;
            begin_connecting(&socket, SocketAddr::new(self.family.host(90), port))?;
            sockets.push(socket);
        }
        Ok(())
    }

    /// The answer to a far SYN is lost.
    fn syn_recv(&self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        let local = SocketAddr::new(self.family.host(1), NEAR_PORT);
        let listener = self.network.tcp(self.family.domain())?;
        bind(&listener, local)?;
        listener.listen(10)?;
        for number in [10, 11] {
            self.cut(number)?;
            let client = self.network.far_tcp(self.family.domain())?;
            bind(&client, SocketAddr::new(self.family.host(number), 0))?;
            begin_connecting(&client, local)?;
            sockets.push(client);
        }
        sockets.push(listener);
        Ok(())
    }

    /// FIN-WAIT-1, FIN-WAIT-2 and TIME-WAIT.
    fn fin_wait(&self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        let (near, far) = self.establish(12)?;
        self.cut(12)?;
        near.shutdown(Shutdown::Write)?;
        sockets.extend([near, far]);

        let (mut near, far) = self.establish(13)?;
        self.cut(13)?;
        near.write_all(b"lost before the end")?;
        drop(near);
        sockets.push(far);

        let (near, far) = self.establish(14)?;
        near.shutdown(Shutdown::Write)?;
        sockets.extend([near, far]);

        let (near, far) = self.establish(14)?;
        drop(near);
        sockets.push(far);

        for _ in 0..3 {
            let (near, far) = self.establish(14)?;
            drop(near);
            drop(far);
        }
        Ok(())
    }

    /// The near FIN is lost, the far one arrives.
    fn closing(&self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        let (near, far) = self.establish(15)?;
        self.cut(15)?;
        near.shutdown(Shutdown::Write)?;
        far.shutdown(Shutdown::Write)?;
        sockets.extend([near, far]);
        Ok(())
    }

    /// CLOSE-WAIT and LAST-ACK.
    fn passive_close(&self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        let (near, far) = self.establish(14)?;
        far.shutdown(Shutdown::Write)?;
        sockets.extend([near, far]);

        let (near, mut far) = self.establish(14)?;
        far.write_all(b"unread")?;
        drop(far);
        sockets.push(near);

        let (near, far) = self.establish(16)?;
        far.shutdown(Shutdown::Write)?;
        // Its end has to be there before the near side's own.
        wait_for_end(&near)?;
        self.cut(16)?;
        near.shutdown(Shutdown::Write)?;
        sockets.extend([near, far]);

        let (near, far) = self.establish(17)?;
        far.shutdown(Shutdown::Write)?;
        wait_for_end(&near)?;
        self.cut(17)?;
        drop(near);
        sockets.push(far);
        Ok(())
    }

    /// An established connection whose data is sent again and again.
    fn lost_data(&self, sockets: &mut Vec<Socket>) -> io::Result<()> {
        let (mut near, far) = self.establish(18)?;
        self.cut(18)?;
        near.write_all(&[b'.'; 20_000])?;
        sockets.extend([near, far]);
        Ok(())
    }
}

/// Waits until the peer has said that it sends no more.
fn wait_for_end(mut socket: &Socket) -> io::Result<()> {
    match io::Read::read(&mut socket, &mut [0])? {
        0 => Ok(()),
        _ => Err(io::Error::other("data where only an end was sent")),
    }
}
