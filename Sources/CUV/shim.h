#ifndef CUV_SHIM_H
#define CUV_SHIM_H

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <uv.h>

#endif
