//! Who holds these sockets: `cargo run -p sockeye-procs --example owners INODE...`

use sockeye_procs::{Search, Sought};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let inodes = std::env::args().skip(1).map(|inode| inode.parse());
    let inodes = inodes.collect::<Result<Vec<u32>, _>>()?;
    let owners = Search::new().run(Sought::Sockets(&inodes))?;
    for inode in inodes {
        for owner in owners.of(inode) {
            let comm = String::from_utf8_lossy(owner.comm.as_bytes()).into_owned();
            println!("socket:[{inode}] {comm:?} pid {} fd {}", owner.pid, owner.fd);
        }
    }
    if owners.unseen() > 0 {
        eprintln!("{} processes could not be looked into", owners.unseen());
    }
    Ok(())
}
