/* base/auto.h - objects that clean up after themselves when their scope ends. */
#pragma once

/* Defines FREE_auto(TYPE **), the cleanup function that auto_clean() names. */
#define DEFINE_AUTO(type, free_function)                                                           \
    static inline void free_function##_auto(type **object)                                         \
    {                                                                                              \
        if (*object)                                                                               \
            free_function(*object);                                                                \
    }

/* auto_clean(thing_free_auto) struct thing *thing = thing_new();
 * A guard that nothing reads is used at its end: clang does not see that by itself. */
#define auto_clean(function) __attribute__((cleanup(function), unused))

/* Hands an owned pointer on: the variable is NULL afterwards. */
#define take_pointer(pointer)                                                                      \
    __extension__({                                                                                \
        __auto_type taken_ = (pointer);                                                            \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

void auto_free_cleanup(void *pointer_to_pointer);
void auto_close_cleanup(const int *fd);

/* auto_free char *text = str_printf(...);   auto_close int fd = open(...); */
#define auto_free __attribute__((cleanup(auto_free_cleanup)))
#define auto_close __attribute__((cleanup(auto_close_cleanup)))
