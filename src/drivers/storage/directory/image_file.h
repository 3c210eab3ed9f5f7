/* drivers/storage/directory/image_file.h - an open file as bytes for the format checks. */
#pragma once
#include "drivers/storage/directory/image_detect.h"

/* Borrows '*fd' for as long as the result is used. */
int image_file_bytes(const int *fd, struct image_bytes *ret_bytes, struct err *err);
