/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is told of one descriptor of one socket: crates/bpf/src/record.rs reads it.
 */
#ifndef SOCKEYE_HOLDING_H
#define SOCKEYE_HOLDING_H

#include "kernel.h"

struct holding {
	__u32 inode;
	__u32 tgid;
	__u32 tid;
	__u32 fd;
	char comm[TASK_COMM_LEN];
};

#endif
