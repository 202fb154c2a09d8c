//! `make instructions`: how many instructions each function on the hot path takes for 1000 sockets,
//! under valgrind's callgrind. `src/bin/instructions.rs` compares them with the committed figures.
#![allow(missing_docs, reason = "gungraun's macros make public items")]
#![allow(clippy::unwrap_used, reason = "an input that cannot be made is a failed benchmark")]

mod hot_path;

use gungraun::prelude::*;
use hot_path::Replay;
use sockeye_diag::Diag;
use sockeye_lab::synthetic::Detail;
use sockeye_netlink::scripted::Scripted;

fn replay(flags: &'static str, detail: Detail) -> Replay {
    Replay::new(flags, detail).unwrap()
}

#[library_benchmark]
#[bench::everything(hot_path::messages(Detail::Everything))]
fn walk_messages(bytes: Vec<u8>) {
    hot_path::walk_messages(&bytes);
}

#[library_benchmark]
#[bench::everything(hot_path::messages(Detail::Everything))]
fn walk_attributes(bytes: Vec<u8>) {
    hot_path::walk_attributes(&bytes);
}

#[library_benchmark]
#[bench::bare(hot_path::messages(Detail::Bare))]
#[bench::tcp_info(hot_path::messages(Detail::TcpInfo))]
#[bench::everything(hot_path::messages(Detail::Everything))]
fn decode(bytes: Vec<u8>) {
    hot_path::decode(&bytes);
}

#[library_benchmark]
#[bench::bare(hot_path::kernel(Detail::Bare))]
#[bench::tcp_info(hot_path::kernel(Detail::TcpInfo))]
#[bench::everything(hot_path::kernel(Detail::Everything))]
fn dump(mut diag: Diag<Scripted>) {
    hot_path::dump(&mut diag);
}

#[library_benchmark]
#[bench::tn(replay("-Htn", Detail::Bare))]
#[bench::tni(replay("-Htni", Detail::TcpInfo))]
#[bench::tnimoe(replay("-Htnimoe", Detail::Everything))]
#[bench::json(replay("--json -tn", Detail::Everything))]
fn rows(replay: Replay) {
    hot_path::rows(&replay);
}

library_benchmark_group!(
    name = hot,
    benchmarks = [walk_messages, walk_attributes, decode, dump, rows]
);
main!(library_benchmark_groups = hot);
