/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is told of one descriptor of one socket: crates/bpf/src/record.rs reads it.
 */
#ifndef SOCKEYE_HOLDING_H
#define SOCKEYE_HOLDING_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>

struct holding {
	__u64 table;
	__u32 inode;
	__u32 tgid;
	__u32 tid;
	/* BY_PATH is added to what was opened by O_PATH. */
	__u32 fd;
	char comm[TASK_COMM_LEN];
};

/* More than any descriptor. */
#define BY_PATH (1u << 31)

/*
 * Whether the inode is a socket's. If the file was opened by O_PATH, it may as well be the name of a
 * Unix socket in another file system: then the reader has to look.
 */
static __always_inline int is_socket(struct file *file)
{
	return (file->f_inode->i_mode & S_IFMT) == S_IFSOCK;
}

static __always_inline __u32 by_path(struct file *file)
{
	return file->f_mode & FMODE_PATH ? BY_PATH : 0;
}

#endif
