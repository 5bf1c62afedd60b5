/* X servers that do wrong what a server can do wrong; the name of the executable says what.
 * Built without libraries, for any guest: cc -static. They are started as a server is, with the listening sockets
 * from descriptor 3 on. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *mode;

static int is(const char *name) { return strcmp(mode, name) == 0; }

/* Writes `length` bytes of `reply` to every client, once it has asked, and keeps the connection. */
static void answer(const char *reply, size_t length) {
    for (;;) {
        char request[4096];
        int client = accept(3, NULL, NULL);
        if (client < 0 || read(client, request, sizeof request) < 0 || write(client, reply, length) < 0) exit(9);
    }
}

/* A reply with a reason: 0 refuses, 2 asks for more (X Window System Protocol, section 8). */
static void say_no(unsigned char how, const char *reason) {
    unsigned char reply[128] = {how, strlen(reason), 11, 0, 0, 0, (strlen(reason) + 3) / 4, 0};
    if (how == 2) reply[1] = 0;
    strcpy((char *)reply + 8, reason);
    answer((char *)reply, 8 + (strlen(reason) + 3) / 4 * 4);
}

static void lines(int count) {
    for (int number = 1; number <= count; number++) printf("fake line %d\n", number);
}

int main(int argc, char **argv) {
    static char path[4096];
    if (readlink("/proc/self/exe", path, sizeof path - 1) < 0) return 9;
    mode = strrchr(path, '/') + 1;
    setvbuf(stdout, NULL, _IOLBF, 0);

    if (is("without-activation")) {
        /* As XLibre is built by default. */
        unsetenv("LISTEN_FDS");
        return execv("/usr/lib/xorg/Xorg", argv), 9;
    }
    if (is("exits")) return lines(20), 3;
    if (is("says-nothing")) return 1;
    if (is("exits-well")) return 0;
    if (is("shouts")) return puts("<0>the sky falls"), 8;
    if (is("pours") || is("pours-and-stays")) {
        /* More than every buffer on the way holds: systemd gives a unit's output 8 MiB. */
        for (int number = 1; number <= 20000; number++) printf("poured line %05d %0990d\n", number, 0);
        if (is("pours-and-stays")) {
            FILE *said = fopen("/home/ada/poured", "w");
            fputs("all\n", said), fclose(said), pause();
        }
        return 4;
    }
    if (is("floods")) return lines(50000), 4;
    if (is("crashes")) return puts("about to crash"), raise(SIGSEGV);
    if (is("noise")) {
        static const char noise[] = "\x1b" "c\x1b[2J\x1b[31m\x1b]0;mine\x07\x00\xff\xfe\x9b" "5A\r\b\b\x0e noise";
        return fwrite(noise, 1, sizeof noise - 1, stdout), fflush(stdout), 5;
    }
    if (is("one-long-line")) {
        for (int number = 0; number < 300000; number++) putchar('x');
        return fflush(stdout), 6;
    }
    if (is("never-accepts")) puts("going to sleep"), pause();
    if (is("never-answers")) answer("", 0);
    if (is("answers-a-byte")) answer("\x01", 1);
    if (is("answers-garbage")) answer("HTTP/1.1 400 Bad Request\r\nServer: not X\r\n\r\n", 44);
    if (is("promises-too-much")) answer("\x01\x00\x0b\x00\x00\x00\xff\xff", 8);
    if (is("refuses")) say_no(0, "Authorization required, but no authorization protocol specified\n");
    if (is("refuses-rudely")) say_no(0, "\x1b" "c\x1b[31mrude\r\b\x07 and wide\xff");
    if (is("asks-for-more")) say_no(2, "one more question");
    if (is("closes")) for (;;) close(accept(3, NULL, NULL));
    if (is("leaves-a-child") && fork() == 0) pause(), exit(0);
    if (is("leaves-a-child")) return puts("the parent goes"), 7;
    if (is("ignores-sigterm")) {
        /* A mask survives exec, and Xorg does not touch it. */
        sigset_t term;
        sigemptyset(&term), sigaddset(&term, SIGTERM), sigprocmask(SIG_BLOCK, &term, NULL);
        execv("/usr/lib/xorg/Xorg", argv);
    }
    (void)argc;
    return 9;
}
