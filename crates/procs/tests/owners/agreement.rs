//! Both ways give the same answer, and it is what the processes were told to hold.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sockeye_lab::Namespace;
use sockeye_lab::holder::{EVERY_WAY, HOSTILE_NAMES, Holder, Plan, Report, Turnover};
use sockeye_procs::Sought;

use crate::expected::{assert_found, inodes, owners};

fn start(namespace: &Namespace, plans: &[Plan<'_>]) -> (Vec<Holder>, Report) {
    let mut report = Report::default();
    let holders: Vec<Holder> =
        plans.iter().map(|plan| Holder::start(namespace, plan).unwrap()).collect();
    holders.iter().for_each(|holder| report.extend(holder.report().clone()));
    (holders, report)
}

#[test]
fn every_descriptor_is_found_of_all_sockets() {
    let namespace = Namespace::new("owners").unwrap();
    let (_holders, report) = start(&namespace, EVERY_WAY);
    for threads in [false, true] {
        assert_found(&report, threads, Sought::All);
    }
}

#[test]
fn every_descriptor_is_found_of_few_sockets() {
    let namespace = Namespace::new("few").unwrap();
    let (_holders, report) = start(&namespace, EVERY_WAY);
    let all: Vec<u32> = inodes(&report).into_iter().collect();
    for threads in [false, true] {
        for inode in all.iter().step_by(6) {
            assert_found(&report, threads, Sought::Sockets(&[*inode]));
        }
        for some in [1, 2, 7, all.len()] {
            assert_found(&report, threads, Sought::Sockets(&all[..some]));
        }
        assert_found(&report, threads, Sought::Sockets(&[]));
    }
}

#[test]
fn more_sockets_than_the_kernel_seeks_are_found_too() {
    let namespace = Namespace::new("more").unwrap();
    let (_holders, report) = start(&namespace, EVERY_WAY);
    // 1024 at a time is what the program takes; the others are of numbers that no socket has yet.
    let known: Vec<u32> = inodes(&report).into_iter().collect();
    for length in [1024, 1025, 5000] {
        let mut sought = known.clone();
        sought.extend((0..).map(|number| u32::MAX - number).take(length - known.len()));
        for threads in [false, true] {
            assert_found(&report, threads, Sought::Sockets(&sought));
        }
    }
}

#[test]
fn names_are_the_bytes_that_the_process_gave_itself() {
    let namespace = Namespace::new("names").unwrap();
    let plans: Vec<Plan<'_>> = HOSTILE_NAMES
        .iter()
        .zip(HOSTILE_NAMES.iter().rev())
        .map(|(name, child)| Plan { name, sockets: 2, child: Some(child), ..Plan::default() })
        .chain([Plan { name: b"threads", sockets: 1, threads: HOSTILE_NAMES, ..Plan::default() }])
        .collect();
    let (_holders, report) = start(&namespace, &plans);
    let few: Vec<u32> = inodes(&report).into_iter().collect();
    for threads in [false, true] {
        assert_found(&report, threads, Sought::All);
        assert_found(&report, threads, Sought::Sockets(&few));
    }
}

/// What the program for few sockets tells of one thread has to fit into one read, of 32 KiB: 1024
/// descriptors.
#[test]
fn a_socket_of_many_descriptors_is_found_with_all_of_them() {
    let namespace = Namespace::new("workers").unwrap();
    for number in [900, 1500] {
        let copies = vec![10; number];
        let plan = Plan { name: b"worker", sockets: 1, copies: &copies, ..Plan::default() };
        let (_holders, report) = start(&namespace, &[plan, plan]);
        let inodes: Vec<u32> = inodes(&report).into_iter().collect();
        assert_eq!(owners(&report, false, report.opened[0].inode).len(), 1 + number);
        for threads in [false, true] {
            assert_found(&report, threads, Sought::All);
            assert_found(&report, threads, Sought::Sockets(&inodes));
        }
    }
}

#[test]
fn what_ends_and_closes_during_the_search_does_not_matter() {
    let namespace = Namespace::new("turnover").unwrap();
    let (_holders, report) = start(&namespace, EVERY_WAY);
    let few: Vec<u32> = inodes(&report).into_iter().step_by(5).collect();
    let turnovers = [b"first", b"other"]
        .map(|name| Turnover::start(&namespace, name, Duration::from_secs(60)).unwrap());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _done = Done(&done);
            for round in 0..12 {
                let sought = if round % 2 == 0 { Sought::All } else { Sought::Sockets(&few) };
                assert_found(&report, round % 4 < 2, sought);
            }
        });
        // Processes with threads and children that come and go, too.
        while !done.load(Ordering::Relaxed) {
            drop(Holder::start(&namespace, &EVERY_WAY[5]).unwrap());
            drop(Holder::start(&namespace, &EVERY_WAY[2]).unwrap());
        }
    });
    for turnover in turnovers {
        assert!(turnover.end().unwrap().opened.len() > 50, "nothing came and went");
    }
}

/// Says at its end, also by a panic, that there is nothing more to disturb.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
