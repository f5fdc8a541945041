// Load in a closed loop: every connection asks again once its answer is complete. Stamps of events
// ("t":<ns>) give their age on arrival. Prints one JSON object about the time after the warm-up.
//   load PORT PATH BODY_FILE CONNECTIONS WARMUP_S SECONDS
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES = 8192, SAMPLES = 8 << 20 };
enum { HEAD, LENGTH, SIZE, CHUNK, CHUNK_END, LAST };

typedef struct {
  int fd, state, headBytes;
  long written, left, startedNs;
  char head[HEAD_BYTES + 1];
} Connection;

static char *request;
static long requestBytes, failed, received, chunks, sentFromNs;
static unsigned *answerUs, *chunkUs;
static long answers, stamped;
static int epoll;

static long nowNs(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void note(unsigned *samples, long *count, long ns) {
  if (*count < SAMPLES) samples[*count] = ns < 0 ? 0 : ns / 100;
  ++*count;
}

static void watch(Connection *c, int events, int how) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(epoll, how, c->fd, &event);
}

static void writeRest(Connection *c) {
  while (c->written < requestBytes) {
    long count = write(c->fd, request + c->written, requestBytes - c->written);
    if (count < 0) {
      watch(c, EPOLLIN | (errno == EAGAIN ? EPOLLOUT : 0), EPOLL_CTL_MOD);
      return;
    }
    c->written += count;
  }
}

static void ask(Connection *c) {
  c->state = HEAD;
  c->headBytes = 0;
  c->written = 0;
  c->startedNs = nowNs();
  writeRest(c);
}

static int hexOf(char digit) { return digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10; }

// Reads the head out of the bytes; returns how many were its.
static int readHead(Connection *c, const char *bytes, int count) {
  int known = c->headBytes, taken = count < HEAD_BYTES - known ? count : HEAD_BYTES - known;
  memcpy(c->head + known, bytes, taken);
  c->head[c->headBytes = known + taken] = 0;
  char *end = strstr(c->head, "\r\n\r\n");
  if (end == NULL) {
    if (c->headBytes == HEAD_BYTES) exit(1);
    return taken;
  }
  end[2] = 0;
  if (memcmp(c->head + 9, "200", 3)) failed++;
  char *length = strcasestr(c->head, "content-length:");
  c->left = length ? atol(length + 15) : 0;
  c->state = length ? LENGTH : SIZE;
  return end + 4 - c->head - known;
}

static void complete(Connection *c, long atNs) {
  if (c->startedNs > sentFromNs) note(answerUs, &answers, atNs - c->startedNs);
  ask(c);
}

static void consume(Connection *c, const char *bytes, int count, long atNs) {
  for (int at = 0; at < count;) {
    if (c->state == HEAD) {
      at += readHead(c, bytes + at, count - at);
      if (c->state != LENGTH || c->left > 0) continue;
      complete(c, atNs);
    } else if (c->state == LENGTH || c->state == CHUNK) {
      long taken = count - at < c->left ? count - at : c->left;
      at += taken;
      if ((c->left -= taken) > 0) continue;
      if (c->state == LENGTH) complete(c, atNs);
      else c->state = CHUNK_END;
    } else {
      char byte = bytes[at++];
      if (byte == '\r') continue;
      if (byte != '\n') c->left = c->left * 16 + hexOf(byte);
      else if (c->state == CHUNK_END) c->state = SIZE;
      else if (c->state == LAST) complete(c, atNs);
      else if ((c->state = c->left ? CHUNK : LAST) == CHUNK && atNs > sentFromNs) chunks++;
    }
  }
}

static void ages(const char *bytes, int count, long atNs) {
  const char *at = bytes, *end = bytes + count;
  if (atNs < sentFromNs) return;
  while ((at = memmem(at, end - at, "{\"t\":", 5)) != NULL) {
    at += 5;
    // A stamp that is cut in two is left out.
    if (end - at > 20) note(chunkUs, &stamped, atNs - strtol(at, NULL, 10));
  }
}

static void dial(Connection *c, int port, int isNew) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int on = 1;
  if (!isNew) close(c->fd);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->fd, (void *)&address, sizeof address)) exit(1);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  watch(c, EPOLLIN, EPOLL_CTL_ADD);
  ask(c);
}

static int ascending(const void *a, const void *b) {
  unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
  return (x > y) - (x < y);
}

static double quantile(unsigned *samples, long count, double share) {
  if (count > SAMPLES) count = SAMPLES;
  return count ? samples[(long)((count - 1) * share)] / 10.0 : 0;
}

static double cpuSeconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec +
         (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void prepare(const char *path, const char *file) {
  FILE *body = fopen(file, "r");
  if (body == NULL) exit(2);
  fseek(body, 0, SEEK_END);
  long bytes = ftell(body);
  rewind(body);
  request = malloc(bytes + 512);
  requestBytes = sprintf(request,
                         "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                         "Content-Length: %ld\r\n\r\n",
                         path, bytes);
  requestBytes += fread(request + requestBytes, 1, bytes, body);
  answerUs = malloc(SAMPLES * sizeof(unsigned));
  chunkUs = malloc(SAMPLES * sizeof(unsigned));
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int port = atoi(argv[1]), count = atoi(argv[4]);
  prepare(argv[2], argv[3]);
  epoll = epoll_create1(0);
  sentFromNs = nowNs() + (long)(atof(argv[5]) * 1e9);
  long endNs = sentFromNs + (long)(atof(argv[6]) * 1e9);
  Connection *connections = calloc(count, sizeof(Connection));
  for (int i = 0; i < count; i++) dial(&connections[i], port, 1);
  static char buffer[1 << 18];
  double cpuBefore = -1;
  for (long now = nowNs(); now < endNs; now = nowNs()) {
    // The one who measures the router's own CPU waits for this line.
    if (cpuBefore < 0 && now >= sentFromNs) {
      cpuBefore = cpuSeconds();
      puts("warm");
      fflush(stdout);
    }
    struct epoll_event events[512];
    int ready = epoll_wait(epoll, events, 512, 10);
    for (int i = 0; i < ready; i++) {
      Connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) {
        watch(c, EPOLLIN, EPOLL_CTL_MOD);
        writeRest(c);
      }
      if (!(events[i].events & ~EPOLLOUT)) continue;
      int bytes = read(c->fd, buffer, sizeof buffer);
      if (bytes < 0 && errno == EAGAIN) continue;
      if (bytes <= 0) {
        failed++;
        dial(c, port, 0);
        continue;
      }
      long atNs = nowNs();
      if (atNs > sentFromNs) received += bytes;
      ages(buffer, bytes, atNs);
      consume(c, buffer, bytes, atNs);
    }
  }
  double seconds = (nowNs() - sentFromNs) / 1e9;
  qsort(answerUs, answers < SAMPLES ? answers : SAMPLES, sizeof(unsigned), ascending);
  qsort(chunkUs, stamped < SAMPLES ? stamped : SAMPLES, sizeof(unsigned), ascending);
  printf("{\"seconds\":%.3f,\"answers\":%ld,\"failed\":%ld,\"bytes\":%ld,\"p50Us\":%.1f,\"p99Us\":%.1f,"
         "\"chunks\":%ld,\"chunkP50Us\":%.1f,\"chunkP99Us\":%.1f,\"loadCore\":%.3f}\n",
         seconds, answers, failed, received, quantile(answerUs, answers, 0.5),
         quantile(answerUs, answers, 0.99), chunks, quantile(chunkUs, stamped, 0.5),
         quantile(chunkUs, stamped, 0.99), (cpuSeconds() - cpuBefore) / seconds);
  return 0;
}
