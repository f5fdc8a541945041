// Engines that cost little: they answer 1 KB of JSON, 64 events at once (path …/burst), or stamped
// events, one an interval for each connection: without end (path …/paced) or 1000 (query ?answer).
//   upstream INTERVAL_US PORT…
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FD = 65536, HEAD_BYTES = 8192, SLOTS = 500, BURST = 64, ANSWER = 1000 };

// One connection; a paced stream stays in its slot of the wheel, which turns once an interval.
typedef struct {
  int headBytes, kind, slot, eventsLeft;
  long bodyLeft;
  char head[HEAD_BYTES + 1];
} Connection;

static Connection *connections[MAX_FD];
static char isServer[MAX_FD];
static int *slots[SLOTS], slotSizes[SLOTS];
static char json[2048], burst[BURST * 320];
static int jsonBytes, burstBytes[BURST + 1];
static const char streamHead[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

static long nowNs(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int chunkOf(char *out, const char *event) {
  return sprintf(out, "%zx\r\n%s\r\n", strlen(event), event);
}

static void prepare(void) {
  char body[1200];
  sprintf(body,
          "{\"id\":\"c\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
          "\"assistant\",\"content\":\"%0900d\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":7}}",
          0);
  jsonBytes = sprintf(json,
                      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                      strlen(body), body);
  for (int i = 0; i < BURST; i++) {
    char event[300];
    sprintf(event, "data: {\"id\":\"c%02d\",\"choices\":[{\"delta\":{\"content\":\"%0150d\"}}]}\n\n", i, i);
    burstBytes[i + 1] = burstBytes[i] + chunkOf(burst + burstBytes[i], event);
  }
}

// Every event in a write of its own, as an engine does it.
static void writeBurst(int fd) {
  if (write(fd, streamHead, sizeof streamHead - 1) < 0) return;
  for (int i = 0; i < BURST; i++)
    if (write(fd, burst + burstBytes[i], burstBytes[i + 1] - burstBytes[i]) < 0) return;
  if (write(fd, "0\r\n\r\n", 5) < 0) return;
}

static void answer(int fd, Connection *c) {
  if (c->kind == 0) {
    if (write(fd, json, jsonBytes) < 0) return;
  } else if (c->kind == 1) {
    writeBurst(fd);
  } else if (write(fd, streamHead, sizeof streamHead - 1) > 0 && c->slot < 0) {
    c->slot = rand() % SLOTS;
    c->eventsLeft = c->kind == 3 ? ANSWER : -1;
    slots[c->slot] = realloc(slots[c->slot], sizeof(int) * (slotSizes[c->slot] + 1));
    slots[c->slot][slotSizes[c->slot]++] = fd;
  }
}

static void leaveSlot(int fd, Connection *c) {
  if (c->slot < 0) return;
  int *slot = slots[c->slot], *size = &slotSizes[c->slot];
  for (int i = 0; i < *size; i++)
    if (slot[i] == fd) slot[i] = slot[--*size];
  c->slot = -1;
}

static void turn(int slot) {
  // The last takes the place of one that leaves.
  for (int i = slotSizes[slot] - 1; i >= 0; i--) {
    int fd = slots[slot][i], flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    char event[300], chunk[320];
    sprintf(event, "data: {\"t\":%020ld,\"choices\":[{\"delta\":{\"content\":\"%0120d\"}}]}\n\n", nowNs(), i);
    if (send(fd, chunk, chunkOf(chunk, event), flags) < 0) continue;
    if (--connections[fd]->eventsLeft != 0) continue;
    leaveSlot(fd, connections[fd]);
    send(fd, "0\r\n\r\n", 5, flags);
  }
}

static void leave(int fd, Connection *c) {
  leaveSlot(fd, c);
  connections[fd] = NULL;
  free(c);
  close(fd);
}

static void receive(int fd) {
  static char buffer[1 << 20];
  Connection *c = connections[fd];
  long count = read(fd, buffer, sizeof buffer), at = 0;
  if (count <= 0) {
    leave(fd, c);
    return;
  }
  while (at < count) {
    if (c->bodyLeft > 0) {
      long taken = count - at < c->bodyLeft ? count - at : c->bodyLeft;
      at += taken;
      if ((c->bodyLeft -= taken) == 0) answer(fd, c);
      continue;
    }
    int known = c->headBytes, room = HEAD_BYTES - known;
    int taken = count - at < room ? (int)(count - at) : room;
    memcpy(c->head + known, buffer + at, taken);
    c->head[c->headBytes = known + taken] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (end == NULL) {
      at += taken;
      if (c->headBytes == HEAD_BYTES) exit(1);
      continue;
    }
    at += end + 4 - c->head - known;
    end[2] = 0;
    c->headBytes = 0;
    char *length = strcasestr(c->head, "content-length:"), *line = strchr(c->head, '\r');
    *line = 0;
    c->kind = strstr(c->head, "/burst")    ? 1
              : strstr(c->head, "/paced")  ? 2
              : strstr(c->head, "?answer") ? 3
                                           : 0;
    c->bodyLeft = length ? atol(length + 15) : 0;
    if (c->bodyLeft == 0) answer(fd, c);
  }
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void acceptAll(int epoll, int server) {
  int fd, on = 1;
  while ((fd = accept4(server, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
    if (fd >= MAX_FD) exit(1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections[fd] = calloc(1, sizeof(Connection));
    connections[fd]->slot = -1;
    watch(epoll, fd);
  }
}

static void listenOn(int epoll, int port) {
  int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(server, (void *)&address, sizeof address) || listen(server, 8192)) exit(1);
  isServer[server] = 1;
  watch(epoll, server);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prepare();
  long slotNs = atol(argv[1]) * 1000L / SLOTS;
  int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  for (int i = 2; i < argc; i++) listenOn(epoll, atoi(argv[i]));
  struct itimerspec every = {{0, slotNs}, {0, slotNs}};
  timerfd_settime(timer, 0, &every, NULL);
  watch(epoll, timer);
  long turned = 0;
  for (;;) {
    struct epoll_event events[512];
    int count = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      long ticks;
      if (isServer[fd]) acceptAll(epoll, fd);
      else if (fd != timer) receive(fd);
      else if (read(timer, &ticks, sizeof ticks) > 0)
        while (ticks-- > 0) turn(turned++ % SLOTS);
    }
  }
}
