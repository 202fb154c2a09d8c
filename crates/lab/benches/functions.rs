//! `make bench-functions`: time of each function on the hot path, a socket.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "an input that cannot be made is a failed benchmark")]

mod hot_path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hot_path::{Replay, SOCKETS};
use sockeye_lab::synthetic::Detail;

/// How much each input tells, and what it is called.
const DETAILS: [(&str, Detail); 3] =
    [("bare", Detail::Bare), ("tcp_info", Detail::TcpInfo), ("everything", Detail::Everything)];

fn functions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("1000 sockets");
    group.throughput(Throughput::Elements(SOCKETS.into()));
    let everything = hot_path::messages(Detail::Everything);
    group.bench_function("walk_messages", |b| b.iter(|| hot_path::walk_messages(&everything)));
    group.bench_function("walk_attributes", |b| b.iter(|| hot_path::walk_attributes(&everything)));
    for (name, detail) in DETAILS {
        let bytes = hot_path::messages(detail);
        group.bench_function(format!("decode/{name}"), |b| b.iter(|| hot_path::decode(&bytes)));
    }
    for (name, detail) in DETAILS {
        group.bench_function(format!("dump/{name}"), |b| {
            b.iter_batched_ref(|| hot_path::kernel(detail), hot_path::dump, BatchSize::SmallInput);
        });
    }
    for (flags, detail) in [
        ("-Htn", Detail::Bare),
        ("-Htni", Detail::TcpInfo),
        ("-Htnimoe", Detail::Everything),
        ("--json -tn", Detail::Everything),
    ] {
        let replay = Replay::new(flags, detail).unwrap();
        group.bench_function(format!("rows/{flags}"), |b| b.iter(|| hot_path::rows(&replay)));
    }
    group.finish();
}

criterion_group!(benches, functions);
criterion_main!(benches);
