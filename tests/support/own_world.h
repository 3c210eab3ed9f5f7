/* tests/support/own_world.h - for tests as root: linked in, it gives the whole test program a network,
 * a process tree and mounts of its own before main(). Whatever a failed test leaves ends with it.
 * Loopback is up. Without root the test is skipped. */
#pragma once
