// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Every thread but the first one of each process.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* crates/bpf/src/record.rs reads it. */
struct thread {
	__u64 start_ns;
	__u32 tgid;
	__u32 tid;
	__u32 shares_files;
	__u32 unused;
	char comm[TASK_COMM_LEN];
};

SEC("iter/task")
int threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread thread;

	if (!task || task->pid == task->tgid)
		return 0;
	thread.start_ns = task->start_boottime;
	thread.tgid = task->tgid;
	thread.tid = task->pid;
	thread.shares_files = task->files == task->group_leader->files;
	thread.unused = 0;
	__builtin_memcpy(thread.comm, task->comm, sizeof(thread.comm));
	bpf_seq_write(ctx->meta->seq, &thread, sizeof(thread));
	return 0;
}
