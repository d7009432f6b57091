/*
 * echo: answers every HTTP GET with who it is and who asks, one "name value" a line:
 *
 *     hostname web-w1
 *     address 10.10.5.2      the address that was asked: the pod's
 *     client 10.9.0.11       who asked, after any translation on the way
 *
 * usage: echo [PORT [LINGER]]    8080 when none is given
 *
 * One short-lived process per connection, so that a silent client holds up nobody; the
 * kernel takes the dead ones in, since SIGCHLD is ignored. SIGTERM and SIGINT end it with 0,
 * after LINGER seconds (0) in which it still answers: who evicts a pod ends it while others
 * have yet to hear that it is no endpoint any more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE = 5 /* seconds for a whole request */, REQUEST = 8192, ADDRESS = 64 };

static volatile unsigned int linger;

static void stop(int signal)
{
	if (linger == 0 || signal == SIGALRM)
		_exit(EXIT_SUCCESS);
	alarm(linger);
}

/* Listen on all addresses, of both families where the kernel has IPv6. */
static int listen_on(unsigned short port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1, off = 0, done;
	int sock = socket(AF_INET6, SOCK_STREAM, 0);

	if (sock >= 0) {
		setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
		setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		done = bind(sock, (struct sockaddr *)&six, sizeof six);
		if (done < 0 && errno == EADDRNOTAVAIL) {
			close(sock);
			sock = -1;
		}
	}
	if (sock < 0) {
		sock = socket(AF_INET, SOCK_STREAM, 0);
		if (sock < 0)
			return -1;
		setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		done = bind(sock, (struct sockaddr *)&four, sizeof four);
	}
	return done < 0 || listen(sock, 128) < 0 ? -1 : sock;
}

/* Write an address without its port; IPv4 as IPv4 also on a socket of both families. */
static void write_address(const struct sockaddr_storage *at, char *text)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)at;

	if (at->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)at)->sin_addr, text, ADDRESS);
	else if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], text, ADDRESS);
	else
		inet_ntop(AF_INET6, &six->sin6_addr, text, ADDRESS);
}

/* Read up to the empty line that ends a request's head; 0 when it never came. */
static int read_head(int sock, char *head)
{
	size_t have = 0;

	while (have < REQUEST - 1) {
		ssize_t got = read(sock, head + have, REQUEST - 1 - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		have += (size_t)got;
		head[have] = '\0';
		if (strstr(head, "\r\n\r\n") || strstr(head, "\n\n"))
			return 1;
	}
	return 0;
}

static void answer(int sock, const struct sockaddr_storage *client)
{
	struct sockaddr_storage own;
	socklen_t length = sizeof own;
	char head[REQUEST], host[256] = "", here[ADDRESS] = "", there[ADDRESS] = "", body[512];
	const char *status = "200 OK";

	if (!read_head(sock, head) || getsockname(sock, (struct sockaddr *)&own, &length) < 0)
		return;
	gethostname(host, sizeof host - 1);
	write_address(&own, here);
	write_address(client, there);
	if (strncmp(head, "GET ", 4) == 0) {
		snprintf(body, sizeof body, "hostname %s\naddress %s\nclient %s\n", host, here, there);
	} else {
		status = "405 Method Not Allowed";
		snprintf(body, sizeof body, "only GET is answered\n");
	}
	dprintf(sock,
		"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
		"%sConnection: close\r\n\r\n%s",
		status, strlen(body), *status == '4' ? "Allow: GET\r\n" : "", body);
	shutdown(sock, SHUT_WR);
	/* Closing with unread bytes would reset the connection and lose the answer. */
	while (read(sock, head, sizeof head) > 0)
		continue;
}

static unsigned int read_linger(const char *text)
{
	char *end;
	long seconds = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || seconds < 0 || seconds > 3600) {
		fprintf(stderr, "echo: cannot linger %s: not a number from 0 to 3600\n", text);
		exit(EXIT_FAILURE);
	}
	return (unsigned int)seconds;
}

static unsigned short read_port(const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || port < 1 || port > 65535) {
		fprintf(stderr, "echo: cannot listen on port %s: not a number from 1 to 65535\n", text);
		exit(EXIT_FAILURE);
	}
	return (unsigned short)port;
}

int main(int count, char **words)
{
	struct sigaction stopping = { .sa_handler = stop }, ignoring = { .sa_handler = SIG_IGN };
	unsigned short port = count > 1 ? read_port(words[1]) : 8080;
	int listener;

	linger = count > 2 ? read_linger(words[2]) : 0;
	sigaction(SIGALRM, &stopping, NULL);
	sigaction(SIGTERM, &stopping, NULL);
	sigaction(SIGINT, &stopping, NULL);
	sigaction(SIGCHLD, &ignoring, NULL);
	sigaction(SIGPIPE, &ignoring, NULL);
	listener = listen_on(port);
	if (listener < 0) {
		fprintf(stderr, "echo: cannot listen on port %u: %s\n", port, strerror(errno));
		return EXIT_FAILURE;
	}
	for (;;) {
		struct sockaddr_storage client = { 0 };
		socklen_t length = sizeof client;
		int sock = accept(listener, (struct sockaddr *)&client, &length);

		if (sock < 0)
			continue;
		if (fork() == 0) {
			close(listener);
			alarm(PATIENCE);
			answer(sock, &client);
			_exit(EXIT_SUCCESS);
		}
		close(sock);
	}
}
