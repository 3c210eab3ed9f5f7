/* drivers/storage/directory/qemu_img.h - runs of qemu-img on bytes that are not ours.
 *
 * The contents of images and volumes come from outside or from guests. qemu-img works on them
 * as a user without privileges, without a network, with limits, and sees nothing but the
 * descriptors it is given; the chain of files is always spelled out, so that no name in a file
 * is followed. Blocking: for worker threads. */
#pragma once
#include "drivers/storage/directory/child.h"
#include "drivers/storage/directory/place.h"

/* A file the child gets as descriptor 3, 4, ... in the order of the array. */
struct foreign_run {
    const struct place *place;
    const char *const *argv;
    const int *fds;
    size_t fd_count;
    uint64_t file_size_max; /* 0: unlimited */
    bool limits_itself;     /* its address space, before it reads anything */
    unsigned cpu_seconds_max;
    const struct cancel *cancel;
    void (*printed)(void *arg, const char *text, size_t size); /* may be NULL */
    void (*tick)(void *arg);                                   /* may be NULL */
    void *arg;
};
/* Runs it to its end; 'ret_end' says how it ended. */
int foreign_run(const struct foreign_run *run, struct child_end *ret_end, struct err *err);
/* The same, and any end but exit status 0 is an error with this code. */
int foreign_run_well(const struct foreign_run *run, enum err_code code, struct err *err);

/* "json:..." for descriptor 'fd' in 'format', standing alone; owned by the caller. */
char *qemu_img_file(const char *format, int fd);
/* The same for 'count' qcow2 files that stand on each other, the uppermost first: descriptors from
 * 'first_fd' on. */
char *qemu_img_chain(int first_fd, unsigned count);

/* Lets the child write to the file that only it has a descriptor of, and takes it back. */
int foreign_give(const struct place *place, int fd, struct err *err);
int foreign_take_back(int fd, mode_t mode, struct err *err);
