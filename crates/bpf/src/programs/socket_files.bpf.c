// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Every descriptor of every process that is a socket.
 *
 * The kernel's iterator over the files of tasks takes a reference of each file while the program
 * looks at it. Threads that share the file table of their leader are left out by the kernel.
 */
#include "holding.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("iter/task_file")
int socket_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct holding holding;

	if (!task || !file || !is_socket(file))
		return 0;
	holding.table = (__u64)task->files;
	holding.inode = file->f_inode->i_ino;
	holding.tgid = task->tgid;
	holding.tid = task->pid;
	holding.fd = ctx->fd | by_path(file);
	__builtin_memcpy(holding.comm, task->comm, sizeof(holding.comm));
	bpf_seq_write(ctx->meta->seq, &holding, sizeof(holding));
	return 0;
}
