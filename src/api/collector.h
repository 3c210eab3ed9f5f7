/* api/collector.h - garbage: dependents of what is gone, and the contents of dying namespaces.
 *
 * Level-triggered, like a controller, but of no kind: owner references, the finalizers "orphan" and
 * "foregroundDeletion", and Namespaces mean the same for every object.
 *
 *   an object with owners, none of which exists         is deleted
 *   one that lost some of its owners                    loses these references
 *   deleting, "foregroundDeletion"                      its dependents are deleted first
 *   deleting, "orphan"                                  its dependents lose the reference to it
 *   a namespace being deleted                           all in it is deleted, then it goes */
#pragma once

struct api;
struct collector;

/* Looks at everything that is stored, and from then on at every change. */
struct collector *collector_new(struct api *api);
void collector_free(struct collector *collector); /* NULL is fine */
