/*
 * ask: makes one HTTP GET and prints the body of the answer: what one pod uses to see another.
 *
 * usage: ask ADDRESS [PORT]     an IPv4 address; 8080 when no port is given
 *
 * Tries again every 200 ms for 30 seconds, since what it asks may only be coming up. Exit
 * status: 0 an answer with status 200 came; 1 none did; 2 wrong usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 150, ANSWER = 65536 };

/* Give the answer's length, or -1 with errno. */
static ssize_t ask(const struct sockaddr_in *to, char *answer)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct timeval patience = { .tv_sec = 2 };
	size_t have = 0;
	ssize_t got = -1;
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return -1;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(sock, (const struct sockaddr *)to, sizeof *to) == 0 &&
	    write(sock, request, sizeof request - 1) == (ssize_t)sizeof request - 1) {
		while (have < ANSWER - 1 && (got = read(sock, answer + have, ANSWER - 1 - have)) > 0)
			have += (size_t)got;
	}
	close(sock);
	answer[have] = '\0';
	return got < 0 ? -1 : (ssize_t)have;
}

/* Print the body of a good answer; 0 when it is none. */
static int print_body(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	if (strncmp(answer, "HTTP/1.", 7) != 0 || strncmp(answer + 8, " 200", 4) != 0 || !body)
		return 0;
	fputs(body + 4, stdout);
	return fflush(stdout) == 0;
}

int main(int count, char **words)
{
	static char answer[ANSWER];
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timespec pause = { .tv_nsec = 200 * 1000 * 1000 };
	long port = count > 2 ? strtol(words[2], NULL, 10) : 8080;

	if (count < 2 || count > 3 || inet_pton(AF_INET, words[1], &to.sin_addr) != 1 || port < 1 ||
	    port > 65535) {
		fprintf(stderr, "usage: ask ADDRESS [PORT]\n");
		return 2;
	}
	to.sin_port = htons((unsigned short)port);
	for (int tried = 0; tried < TRIES; tried++) {
		if (ask(&to, answer) > 0 && print_body(answer))
			return EXIT_SUCCESS;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "ask: cannot get an answer from %s port %ld: %s\n", words[1], port,
		errno ? strerror(errno) : "it was none of status 200");
	return EXIT_FAILURE;
}
