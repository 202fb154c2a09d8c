//! A crowd is as large as was asked, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use sockeye_lab::crowd::{self, Churn, Crowd, Plan};
use sockeye_lab::{Namespace, measure};

#[test]
fn crowd_holder() {
    crowd::hold_if_asked();
}

fn established(namespace: &Namespace) -> usize {
    let output =
        namespace.output(Command::new("ss").args(["-Htn", "state", "established"])).unwrap();
    output.stdout.iter().filter(|byte| **byte == b'\n').count()
}

#[test]
fn crowd_is_complete_and_ends_with_its_owner() {
    let namespace = Namespace::new("crowd").unwrap();
    let plan = Plan { connections: 501, processes: 4, ipv6: true };
    let crowd = Crowd::start(&namespace, plan).unwrap();
    assert_eq!(crowd.sockets().len(), 1002);
    assert_eq!(established(&namespace), 1002);
    drop(crowd);
    assert_eq!(established(&namespace), 0);
}

#[test]
fn churn_comes_and_goes() {
    let namespace = Namespace::new("churn").unwrap();
    let address = (Ipv4Addr::new(127, 0, 2, 1), 9000).into();
    let churn = Churn::start(&namespace, address, Duration::from_secs(20)).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!(established(&namespace) > 0);
    drop(churn);
    assert_eq!(established(&namespace), 0);
}

#[test]
fn peak_memory_is_that_of_the_program_alone() {
    let namespace = Namespace::new("peak").unwrap();
    let ballast = vec![1_u8; 64 << 20];
    let mut command = Command::new("sh");
    // The shell's own output, longer than the pipe.
    command.args(["-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done"]);
    let peak = measure::peak(&namespace, command).unwrap();
    assert!(peak.status.success());
    assert!(peak.resident > 100_000 && peak.resident < 8_000_000, "{peak:?}");
    assert!(peak.written > 16_000);
    assert_eq!(ballast.len(), 64 << 20);
}
