/* base/chain.h - lists whose items know what points to them, so that each leaves by itself.
 * An item's struct has the members "*next, **link"; 'link' is NULL while it is in no list. */
#pragma once
#include <stddef.h>

/* Puts an item that is in no list before the first one. 'head' is the address of the list's pointer. */
#define chain_add(head, item)                                                                      \
    do {                                                                                           \
        __typeof__(item) chain_item = (item);                                                      \
        chain_item->link = (head);                                                                 \
        chain_item->next = *chain_item->link;                                                      \
        *chain_item->link = chain_item;                                                            \
        if (chain_item->next)                                                                      \
            chain_item->next->link = &chain_item->next;                                            \
    } while (0)

/* Takes an item out of its list; nothing to do for one that is in none. */
#define chain_remove(item)                                                                         \
    do {                                                                                           \
        __typeof__(item) chain_item = (item);                                                      \
        if (chain_item->link)                                                                      \
            *chain_item->link = chain_item->next;                                                  \
        if (chain_item->link && chain_item->next)                                                  \
            chain_item->next->link = chain_item->link;                                             \
        chain_item->link = NULL;                                                                   \
    } while (0)
