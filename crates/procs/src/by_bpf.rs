//! The owners as BPF programs tell them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sockeye_bpf::{Error, Holding, Thread, socket_files};
use sockeye_model::Name;

use crate::owners::Task;
use crate::search::Wanted;
use crate::{Owners, Sought};

/// Looks for the owners.
///
/// # Errors
/// [`Error`] when the programs cannot be loaded or read.
pub(crate) fn search(threads: bool, sought: Sought<'_>) -> Result<Owners, Error> {
    if threads { with_threads(sought) } else { processes(sought) }
}

fn processes(sought: Sought<'_>) -> Result<Owners, Error> {
    let mut owners = Owners::default();
    let mut last = None;
    each(sought, |holding| {
        if holding.tid != holding.tgid {
            return;
        }
        if last.replace(holding.tgid) != Some(holding.tgid) {
            owners.task(Task { pid: holding.tgid, tid: None, comm: Name::new(&holding.comm) });
        }
        owners.holds(holding.inode, holding.fd);
    })?;
    Ok(owners)
}

fn with_threads(sought: Sought<'_>) -> Result<Owners, Error> {
    let mut tables = BTreeMap::<(u32, u32), Vec<Holding>>::new();
    each(sought, |holding| {
        tables.entry((holding.tgid, holding.tid)).or_default().push(*holding);
    })?;
    let processes: BTreeSet<u32> = tables.keys().map(|(tgid, _)| *tgid).collect();
    let mut threads = HashMap::<u32, Vec<Thread>>::new();
    sockeye_bpf::threads(|thread| {
        if processes.contains(&thread.tgid) {
            threads.entry(thread.tgid).or_default().push(*thread);
        }
    })?;

    let mut owners = Owners::default();
    for tgid in processes {
        let first = tables.get(&(tgid, tgid)).map_or(&[][..], Vec::as_slice);
        if let Some(Holding { comm, .. }) = first.first() {
            add(&mut owners, tgid, tgid, comm, first);
        }
        let mut threads = threads.remove(&tgid).unwrap_or_default();
        threads.sort_by_key(|thread| thread.start_ns);
        for Thread { tid, shares_files, comm, .. } in threads {
            let own = tables.get(&(tgid, tid)).map_or(&[][..], Vec::as_slice);
            add(&mut owners, tgid, tid, &comm, if shares_files { first } else { own });
        }
    }
    Ok(owners)
}

fn add(owners: &mut Owners, pid: u32, tid: u32, comm: &[u8], table: &[Holding]) {
    owners.task(Task { pid, tid: Some(tid), comm: Name::new(comm) });
    for holding in table {
        owners.holds(holding.inode, holding.fd);
    }
}

/// Whether that is a socket's inode, as /proc shows it.
fn is_socket(holding: &Holding) -> bool {
    !holding.by_path
        || std::fs::read_link(format!("/proc/{}/fd/{}", holding.tid, holding.fd))
            .is_ok_and(|to| to.as_os_str() == format!("socket:[{}]", holding.inode).as_str())
}

/// The descriptors of what is sought. A few sockets are sought by the kernel, if its program for that
/// loads and has room for them.
fn each(sought: Sought<'_>, mut each: impl FnMut(&Holding)) -> Result<(), Error> {
    let wanted = Wanted::of(sought);
    if let Wanted::These(inodes) = &wanted
        && inodes.len() <= socket_files::FEW
    {
        let inodes: Vec<u32> = inodes.iter().copied().collect();
        if let Ok(found) = socket_files::few(&inodes) {
            found.iter().filter(|holding| is_socket(holding)).for_each(each);
            return Ok(());
        }
    }
    socket_files::all(|holding| {
        if wanted.has(holding.inode) && is_socket(holding) {
            each(holding);
        }
    })
}
