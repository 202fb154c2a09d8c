/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel's types, as far as the programs read them.
 *
 * Only names count: where a field lies is looked up in the running kernel's BTF when a program is
 * loaded (CO-RE), so neither order nor size nor what is left out matters. A field that is not in
 * every kernel is asked for with bpf_core_field_exists().
 */
#ifndef SOCKEYE_KERNEL_H
#define SOCKEYE_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

/* include/uapi/linux/bpf.h */
#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2

/* include/uapi/linux/stat.h */
#define S_IFMT 00170000
#define S_IFSOCK 0140000

/* include/linux/fs.h: opened by O_PATH. */
#define FMODE_PATH (1 << 14)

struct seq_file;
struct socket;

/* What an iterator's program is called with is laid out for programs, and needs no look-up. */
struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

/* kernel/bpf/task_iter.c */
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inode {
	__u16 i_mode;
	unsigned long i_ino;
};

struct lockref {
	int count;
};

struct dentry {
	struct lockref d_lockref;
};

struct path {
	struct dentry *dentry;
};

typedef struct {
	__s64 counter;
} atomic_long_t;

/* Since 6.13: one less than the references there are. */
typedef struct {
	atomic_long_t refcnt;
} file_ref_t;

struct file {
	/* An integer, or a bitwise type of 4 bytes. */
	__u32 f_mode;
	struct path f_path;
	struct inode *f_inode;
	file_ref_t f_ref;
	/* Before 6.13. */
	atomic_long_t f_count;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

#define TASK_COMM_LEN 16

struct task_struct {
	int pid;
	int tgid;
	char comm[TASK_COMM_LEN];
	/* ns since boot, with the time asleep. */
	__u64 start_boottime;
	struct task_struct *group_leader;
	struct files_struct *files;
};

#pragma clang attribute pop

#endif
