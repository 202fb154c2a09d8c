// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The descriptors of a few sockets, given by their inode numbers.
 *
 * Here the program itself walks the file tables, so that a part of each can be looked at (`first` to
 * `end`), and so that a descriptor that is not sought costs some loads and no atomic operation.
 *
 * It takes no lock and no reference: the task may exit, its table be replaced, a file be closed and
 * its memory be another file's at once. A read from an address that is no more gives 0, and what was
 * found counts only if afterwards the task still has that table, and the table that file. If the table
 * was replaced, since it had to grow, a record without inode says so, and all is to be read again.
 */
#include "holding.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The descriptors to look at: from the first to before the end, counted from 0. */
struct range {
	__u32 first;
	__u32 end;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct range);
} ranges SEC(".maps");

/* References of a file that cannot be told. */
#define UNKNOWN (~0ull)

/* Inode number to references of the socket's file: 0 until the walk has met it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} sought SEC(".maps");

extern void *bpf_rdonly_cast(const void *pointer, __u32 btf_id) __ksym;

struct walk {
	struct seq_file *seq;
	struct task_struct *task;
	__u64 fdt;
	/* The table's array of pointers, at `first`. */
	__u64 slots;
	__u32 first;
	struct holding holding;
};

static __always_inline struct file *file_at(__u64 address)
{
	return bpf_rdonly_cast((void *)address, bpf_core_type_id_kernel(struct file));
}

/* The pointer at an address: a file is laid so that its f_inode is there. */
static __always_inline __u64 pointer_at(__u64 address)
{
	return (__u64)file_at(address - bpf_core_field_offset(struct file, f_inode))->f_inode;
}

/* How many descriptors there are of the file, at most; UNKNOWN if its socket has another file. */
static __always_inline __u64 references(struct file *file)
{
	if (file->f_path.dentry->d_lockref.count != 1)
		return UNKNOWN;
	if (bpf_core_field_exists(file->f_ref))
		return file->f_ref.refcnt.counter + 1;
	return file->f_count.counter;
}

/* What bpf_loop() takes for the end. */
#define STOP 1

static long look(__u32 index, struct walk *walk)
{
	__u64 slot = walk->slots + 8ull * index;
	__u64 address = pointer_at(slot);
	struct files_struct *files;
	struct file *file;
	__u64 *known;
	__u32 inode, fd;

	if (!address)
		return 0;
	file = file_at(address);
	inode = file->f_inode->i_ino;
	known = bpf_map_lookup_elem(&sought, &inode);
	/* Other file systems have inodes of that number, too. */
	if (!known || !is_socket(file))
		return 0;
	fd = (walk->first + index) | by_path(file);
	*known = references(file);
	files = walk->task->files;
	if ((__u64)files != walk->holding.table)
		return STOP;
	if ((__u64)files->fdt != walk->fdt)
		inode = 0;
	else if (pointer_at(slot) != address)
		return 0;
	walk->holding.inode = inode;
	walk->holding.fd = fd;
	bpf_seq_write(walk->seq, &walk->holding, sizeof(walk->holding));
	return inode ? 0 : STOP;
}

SEC("iter/task")
int socket_holders(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct files_struct *files;
	struct fdtable *table;
	__u32 zero = 0, end;
	struct range *range;
	struct walk walk;

	range = bpf_map_lookup_elem(&ranges, &zero);
	if (!task || !range)
		return 0;
	/*
	 * Of a pointer that it trusts, the verifier looks up by name what is known of each field: some
	 * milliseconds. None of that is needed here.
	 */
	task = bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct));
	files = task->files;
	if (!files)
		return 0;
	/* As the kernel's iterator over files: a table that is the leader's comes with the leader. */
	if (task->pid != task->tgid && files == task->group_leader->files)
		return 0;
	table = files->fdt;
	end = table->max_fds < range->end ? table->max_fds : range->end;
	if (end <= range->first)
		return 0;
	walk.seq = ctx->meta->seq;
	walk.task = task;
	walk.fdt = (__u64)table;
	walk.slots = (__u64)table->fd + 8ull * range->first;
	walk.first = range->first;
	walk.holding.table = (__u64)files;
	walk.holding.inode = 0;
	walk.holding.fd = 0;
	walk.holding.tgid = task->tgid;
	walk.holding.tid = task->pid;
	__builtin_memcpy(walk.holding.comm, task->comm, sizeof(walk.holding.comm));
	bpf_loop(end - range->first, look, &walk, 0);
	return 0;
}
