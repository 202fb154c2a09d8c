//! What `sockeye-netlink` promises, a subject a file.

mod kernel; // a scripted kernel with a small table, and the visitor of these tests

mod allocation; // no message costs an allocation, and no answer stays in memory
mod answers; // how answers end, and what they carry
mod decoding; // attributes that are not as a decoder expects them
mod groups; // multicast groups of the running kernel
mod intruders; // messages that are not ours, and bytes that are no message
mod leaving; // dumps that are left before their end
mod live; // the running kernel
mod losses; // truncation, failing system calls, interrupted dumps
mod recorded; // bytes that a kernel once sent
mod round_trip; // what is built is what is read; arbitrary bytes never panic
