/* Preloaded into a server, stands in for a name server that never answers: looking up one name takes for ever. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int (*look_up)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    while (name != NULL && strcmp(name, "never.clerk.test") == 0)
        pause();
    return ((look_up) dlsym(RTLD_NEXT, "getaddrinfo"))(name, service, hints, result);
}
