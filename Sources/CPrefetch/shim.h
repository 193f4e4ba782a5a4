#ifndef CPREFETCH_SHIM_H
#define CPREFETCH_SHIM_H

// A builtin of the compiler, which the importer does not see. It reads nothing: any address will do.
static inline void cprefetch_line(const void *address) { __builtin_prefetch(address); }

#endif
